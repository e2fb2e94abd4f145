using static Slm.Training.Stories.EventKind;
using static Slm.Training.Stories.StoryFeature;

namespace Slm.Training.Stories;

/// <summary>Plots about fear, getting lost, magic, treasure, warnings, surprises and games.</summary>
internal static class SchemasWonder
{
    public static readonly StorySchema[] All =
    [
        new("night-fear", NightFear, new HashSet<StoryFeature> { Twist, MoralValue, Foreshadowing }),
        new("lost-hero", LostHero, new HashSet<StoryFeature> { Foreshadowing, MoralValue, Twist }),
        new("magic-wish", MagicWish, new HashSet<StoryFeature> { MoralValue, Twist, BadEnding }),
        new("treasure-map", TreasureMap, new HashSet<StoryFeature> { Twist, MoralValue, BadEnding }),
        new("warning", Warning, new HashSet<StoryFeature> { Foreshadowing, MoralValue, BadEnding }),
        new("hide-and-seek", HideAndSeek, new HashSet<StoryFeature> { Twist, Foreshadowing }),
        new("stage-fright", StageFright, new HashSet<StoryFeature> { MoralValue, BadEnding, Twist }),
        new("trade", Trade, new HashSet<StoryFeature> { Twist, MoralValue, BadEnding }),
    ];

    private static void NightFear(Tale t)
    {
        t.Hero();
        t.Elder('m');
        Beats.Open(t);
        t.Start('m', 'A');
        t.Tell("But {h} was afraid of the dark.");
        if (t.Do(Foreshadowing))
            t.Tell("[That day, the wind had opened the back door, and nobody had seen it.|In the evening, {h} had hung up a coat near the window.|There had been small footprints near the door that day.]");
        t.Para();
        t.Tell("[One night|Late one night|One dark night], {h} woke up. There was a strange sound. [Scratch, scratch.|Knock, knock, knock.|Tap, tap, tap.] It came from [the closet|the window|under the bed|the hall].");
        t.Feel('h', "scared");
        t.Want('h', "not be afraid of the strange sound");
        t.Problem("there was a strange sound in the dark");
        t.Tell("[{h} pulled the blanket up to {h.his} nose.|{h.s} heart went boom, boom, boom.|{h} did not dare to move.]");
        t.Say('h', "[{m.v}! There is a monster!|{m.v}, please come!|Who is there?]", '\0', "called");
        if (t.Dialogue)
        {
            t.Say('m', "[What is it, my dear?|I am here. What did you hear?]", 'h');
            t.Say('h', "[There is something in the dark. I am so scared.|I heard a noise. I think it is a monster.]", 'm', "said");
            t.Say('m', "[Let us look together. I will hold your hand.|Most things are not scary when you look at them. Come!]", 'h');
        }
        else
        {
            t.Tell("{m.n} came in with a small lamp and took {h.his} hand.".Replace("took {h.his}", "took {h.s}"));
        }

        t.Ev(Help, 'm', '\0', 'h');
        t.Para();
        t.OneOf('p', NounKind.Tool, false, ["lamp", "flashlight", "candle", "lantern"]);
        t.Own('m', 'p');
        t.Ev(Use, 'm', 'p');
        t.Tell("They took {the p} and walked very slowly. {h.n} took a deep breath and [looked|opened one eye, and then the other].");
        if (t.Do(Twist))
        {
            t.OneOf('n', NounKind.Animal, false, ["kitten", "puppy", "mouse", "hedgehog", "squirrel", "frog", "bunny", "owl", "hamster", "duckling", "chipmunk", "bird"]);
            t.Lie('n', 'A');
            t.Ev(Notice, 'h', 'n');
            t.Tell("There sat {n.a}! It was cold and had come in to get warm. The big, scary monster was so small that it could sit in {h.s} hands. {h} had to laugh. They gave it some milk, and it fell asleep on a pillow.");
            t.Succeed('h', "the monster was only {n.a}");
        }
        else
        {
            t.Tell("It was only [a branch that knocked on the window|an old coat that moved in the wind|the wind that played with the door|a toy that had fallen over]. There was no monster at all. [{h} laughed.|What a silly thing to be afraid of!]");
            t.Succeed('h', "they looked, and there was no monster");
        }

        t.Moral("[things are less scary when you look at them in the light|it is fine to be afraid, and it is good to ask for help|being brave means to look even when you are scared]");
        t.Tell("[{m} gave {h.n} a kiss and said good night.|{h} went back to bed and was not afraid any more.|Soon {h.n} was fast asleep.]");
        t.Feel('h', "calm");
        t.Sum("{h} is afraid of a strange sound at night. " + (t.Done.Contains(Twist) ? "But it is only {n.a}." : "{m} helps {h.o} to look, and there is no monster."));
    }

    private static void LostHero(Tale t)
    {
        t.Hero();
        t.Elder('m');
        t.SomePlace('B', p => p.Word is "the forest" or "the woods" or "the market" or "the zoo" or "the fair" or "the park" or "the village" or "the beach" or "the valley");
        Beats.Open(t);
        t.Start('m', 'A');
        t.Para();
        t.Tell("{day}, {h} and {m.n} went {B.to}.");
        t.Go('h', 'm', 'B');
        if (t.Do(Foreshadowing) || t.Dialogue)
            t.Say('m', "[Stay close to me. And if you get lost, stay where you are.|Do not run off. If you cannot see me, stand still and call.]", 'h');
        if (t.Chance(0.4))
            Interludes.Tell(t, 'B');
        t.Some('n', n => n.Word is not ("whale" or "dolphin" or "elephant" or "goldfish" or "seal" or "spider" or "snail" or "worm" or "kangaroo" or "penguin" or "ant" or "baby bird" or "crab"), NounKind.Bug, NounKind.Animal);
        t.Tell("But then {h} saw {n.a}. [It was so pretty!|It looked so funny!] {h} ran after it, [farther and farther|around one corner and then another]. When it was gone, {h.he} looked around. {m.n} was gone, too!");
        t.Put('C', new Place("a strange spot", "in a strange spot", "to a strange spot", true, true));
        t.Go('h', 'C');
        t.Feel('h', "scared");
        t.Want('h', "find {m} again");
        t.Problem("{h} ran after {n.a} and got lost");
        t.Para();
        t.Tell("[Everything looked big and strange.|{h} did not know the way back.] [Tears ran down {h.his} face.|{h.s} lips began to shake.]");
        if (t.Do(Twist))
        {
            t.Tell("{h} thought about what to do. Then {h.he} did what {m.n} had told {h.o}: {h.he} stood still and waited. And there, right behind {h.o}, somebody laughed softly. It was {m.n}! ^{m.he} had been only a few steps away the whole time.");
            t.Go('m', 'C');
            t.Succeed('h', "{m} had been close all the time");
        }
        else
        {
            t.GrownUp('x', "farmer", "shopkeeper", "fisherman", "gardener");
            t.Start('x', 'C');
            t.Tell("Then {x.d} came by.");
            if (t.Dialogue)
            {
                t.Say('x', "[Are you lost, little one?|Hello! Why are you crying?]", 'h');
                t.Say('h', "[I cannot find my family.|I ran too far, and now I am lost.]", 'x', "said");
                t.Say('x', "[Let us stay here and call. They will hear us.|I will stay with you until they come.]", 'h');
            }
            else
            {
                t.Tell("{x.n} saw the tears and stopped to help.");
            }

            t.Ev(Help, 'x', '\0', 'h');
            t.Tell("They stood on a big rock and called as loud as they could. [Soon somebody called back.|After a while, they heard a voice.] It was {m.n}!");
            t.Go('m', 'C');
            t.Succeed('h', "{h} stayed in one place, called, and {x} helped");
        }

        t.Para();
        t.Tell("{h.n} ran into {m.n}'s arms.");
        t.Feel('h', "happy");
        if (t.Dialogue)
        {
            t.Say('m', "[I was so worried! I am glad that I found you.|There you are! I looked everywhere for you.]", 'h');
            t.Say('h', "[I am sorry. I will stay close to you now.|I will not run off again. I promise.]", 'm', "said");
        }

        if (!t.Moral("[it is important to stay close to the ones you love|if you get lost, you should stay in one place and call for help|we should listen to good advice]"))
            t.Tell("They held hands all the way home.");
        Beats.Happy(t);
        t.Sum("{h} runs after {n.a} {B.in} and gets lost. " + (t.Done.Contains(Twist) ? "But {m} has been close the whole time." : "{x.n} helps, and {m} finds {h.o}."));
    }

    private static void MagicWish(Tale t)
    {
        t.Hero();
        t.OneOf('o', NounKind.Treasure, false, ["ring", "lamp", "stone", "key", "shell", "wand", "coin", "bell", "feather", "bottle", "mirror", "hat", "acorn", "whistle"]);
        t.SomePlace('B', p => p.Outdoor);
        Beats.Open(t);
        t.Para();
        t.Lie('o', 'B');
        t.Tell("{day}, {h} found {o.a} {B.in}. When {h.he} [touched it|picked it up|rubbed it], it began to glow. A soft voice said, \"You have one wish.\"");
        t.Go('h', 'B');
        t.Ev(Take, 'h', 'o');
        var (wish, good, bad) = t.Random.Pick<(string, string, string)>(
        [
            ("to be as big as a house", "could look over all the trees", "did not fit through any door and could not go home to bed"),
            ("to be as small as an ant", "could ride on a leaf", "was afraid of every foot and every drop of rain"),
            ("that everything {h.he} touched would turn into candy", "had more candy than ever before", "touched the bed, and it got sticky, and then the last glass of water turned into candy, too"),
            ("that it would never be night", "could play and play without going to bed", "got so tired and could not sleep, because it was always bright"),
            ("to fly like a bird", "flew over the roofs and the hills", "flew so high that it was cold and lonely, and did not know how to come down"),
            ("to have a hundred puppies", "laughed, because there were puppies everywhere", "had no food for so many puppies, and they chewed up all the shoes"),
            ("to be alone and do anything", "shouted and jumped, and nobody said no", "had nobody to talk to, and the house was very quiet"),
            ("that it would snow in summer", "made the biggest snowball ever", "saw that all the flowers were cold and the bees had nothing to eat"),
        ]);
        t.Want('h', "make a wish: " + wish);
        t.Tell("{h} did not think for long. ^{h.he} wished " + wish + ". And it came true! At first, {h} " + good + ". [What fun!|It was wonderful.]");
        t.Ev(Use, 'h', 'o');
        t.Problem("the wish went wrong");
        t.Para();
        t.Tell("But [soon|after a while], it was not so nice any more. {h.n} " + bad + ".");
        t.Feel('h', "sorry");
        t.Say('h', "[I do not want this any more!|Please, I want everything to be as it was!|This was a silly wish.]");
        if (t.Bad)
        {
            t.Tell("But {the o} did not glow any more. \"One wish only,\" whispered the voice, and {the o} turned to dust.");
            t.Ev(Vanish, 'h', 'o');
            t.Fail('h', "the wish could not be undone");
            t.Tell("{h} had to live with that wish for a whole long year.");
            Beats.Sad(t);
            t.Moral("[you should think before you make a wish|what we want is not always good for us]");
            t.Sum("{h} finds {a o} that can give one wish and wishes " + wish + ". It goes wrong and cannot be undone.");
            return;
        }

        if (t.Do(Twist))
        {
            t.Tell("Then {h} felt something soft on {h.his} cheek. ^{h.he} opened {h.his} eyes. It was only the morning sun. ^{h} was in bed, and all of it had been a dream! But what was that in {h.his} hand? It was {the o}. {h} put it far, far away.");
            t.Ev(Hide, 'h', 'o');
        }
        else
        {
            t.Tell("{h} held {the o} tight and began to cry. One tear fell on it. \"I see that you have learned something,\" the voice said. It glowed one last time, and everything was as before. {h} carefully put {the o} back where it had been.");
            t.Ev(Drop, 'h', 'o');
        }

        t.Succeed('h', "everything was as before");
        t.Para();
        t.Tell("[Never before had home felt so good.|The world had never looked so nice.|Everything was just right the way it was.]");
        t.Moral("[you should think before you make a wish|the things we have are often the best ones|it is good to be happy with what you have]");
        Beats.Happy(t);
        t.Sum("{h} finds a magic {o} and wishes " + wish + ". It goes wrong, and {h.n} is glad when everything is as before.");
    }

    private static void TreasureMap(Tale t)
    {
        t.Hero();
        t.Friend();
        t.OneOf('m', NounKind.Paper, false, ["map", "letter", "note"]);
        t.SomePlace('B', p => p.Outdoor);
        t.SomePlace('C', p => p.Outdoor);
        Beats.Open(t);
        Beats.Meet(t, 'A');
        t.Lie('m', 'A');
        t.Para();
        t.Tell("{day}, they found {m.a} [in an old book|under the stairs|behind a picture]. It showed the way to a treasure!");
        t.Ev(Take, 'h', 'm');
        t.Want('h', "find the treasure");
        if (t.Dialogue)
        {
            t.Say('h', "[Look! There is a red cross {C.in}.|Let us find it! I have always wanted to find a treasure.]", 'f');
            t.Say('f', "[What could it be? Gold?|I am coming with you! Let us go right now.]", 'h');
        }

        t.Tell("First, they walked {B.to}.");
        t.Go('h', 'f', 'B');
        Beats.See(t, 'n', "On the way");
        string block = t.Random.Pick(["a wide river", "a high wall", "a dark tunnel", "a big fallen tree", "a deep ditch"]);
        t.Word('z', block);
        t.Problem("{z} was in the way");
        t.Tell("Then there was {z} in the way. [\"We cannot go on,\" said {h.n}.|It looked too hard.|{h.n} wanted to turn back.]");
        t.OneOf('p', NounKind.Tool, false, ["rope", "long board", "old log", "ladder"]);
        t.Lie('p', 'B');
        t.Ev(Take, 'f', 'p');
        t.Ev(Use, 'f', 'p');
        t.Ev(Help, 'f', '\0', 'h');
        t.Tell("But {f.n} saw {p.a} in the grass. They [used it to get to the other side|worked together and got past].".Replace("an old old log", "an old log"));
        t.Para();
        t.Go('h', 'f', 'C');
        t.Some('q', NounKind.Treasure, NounKind.Toy);
        t.Tell("At last, they came {C.to}. They dug and dug until they hit something hard. It was a box!");
        if (t.Bad)
        {
            t.Tell("They opened it with shaking hands. But the box was empty. Somebody else had been there long before them.");
            t.Fail('h', "the box was empty");
            t.Tell("It was late, it was cold, and the way home was long. Nobody said a word.");
            Beats.Sad(t);
            t.Moral("[not every search ends with a treasure|we do not always get what we hope for]");
            t.Sum("{h} and {f} follow {m.a} to find a treasure. But the box is empty.");
            return;
        }

        if (t.Do(Twist))
        {
            t.Tell("They opened it. There was no gold inside. There was only a mirror with a note: \"Look into the mirror, and you will see a treasure.\" {h.n} and {f.n} looked and saw two friends with dirty faces and big smiles. They began to laugh.");
            t.Succeed('h', "the treasure was their friendship");
            t.Moral("[a good friend is the greatest treasure|the best treasure is not made of gold]");
        }
        else
        {
            t.Lie('q', 'C');
            t.Ev(Take, 'h', 'q');
            t.Tell("They opened it, and inside {q.was} {q.a}! [They could not believe their eyes.|\"We did it!\" they shouted.] They promised to share {q.it}.");
            t.Succeed('h', "{h} and {f} found {q.a}");
            t.Moral("[you can go far with a good friend|it is good to go on when the way is hard]");
        }

        Beats.Happy(t, 'f');
        t.Sum("{h} and {f} follow {m.a} past {z} to find a treasure. " + (t.Done.Contains(Twist) ? "They learn that their friendship is the treasure." : "In the end, they find {q.a}."));
    }

    private static void Warning(Tale t)
    {
        t.Hero(false, AdjectiveKind.Fault);
        t.Elder('m');
        var (rule, act, result) = t.Random.Pick<(string, string, string)>(
        [
            ("Do not go on the ice. It is too thin", "walked out on the ice", "The ice cracked, and {h.n} fell into the cold water up to the knees"),
            ("Do not eat the berries from that bush", "ate a whole handful of the berries", "Soon {h.n}'s tummy hurt, and everything turned around and around"),
            ("Do not climb that old tree. The branches are weak", "climbed up to the very top", "A branch broke, and {h.n} got stuck high above the ground"),
            ("Take your coat with you. It will be cold", "left the coat at home", "The cold wind came, and {h.n} began to shake and sneeze"),
            ("Do not play with the bees' nest", "poked the nest with a stick", "The bees came out, and one of them stung {h.n} on the nose"),
            ("Do not swim alone. The water is deep", "went into the deep water", "The water pulled hard, and {h.n} could not get out"),
            ("Stay on the path", "ran off the path to look for flowers", "The ground was soft, and {h.n} got stuck deep in the mud"),
            ("Do not touch the wet paint", "put both hands on the wet paint", "{h.n} got stuck, and the paint was everywhere, even in the ears"),
            ("Do not eat too much cake", "ate nine pieces of cake", "Soon {h.n} had a terrible tummy ache and could not move"),
            ("Come home before dark", "stayed out to play some more", "It got so dark that {h.n} could not see the way home"),
        ]);
        bool ice = rule.Contains("ice", StringComparison.Ordinal);
        string near = ice || rule.Contains("swim", StringComparison.Ordinal) ? "the lake the river the pond"
            : rule.Contains("berries", StringComparison.Ordinal) || rule.Contains("tree", StringComparison.Ordinal) || rule.Contains("path", StringComparison.Ordinal) ? "the forest the woods the garden the orchard the meadow the valley" : "";
        t.SomePlace('B', p => p.Outdoor && (near.Length == 0 || near.Contains(p.Word, StringComparison.Ordinal)));
        Beats.Open(t);
        t.Start('m', 'A');
        t.Para();
        t.Tell((ice ? "[One frosty morning|One cold winter day|One icy afternoon]" : "{day}") + ", {h} wanted to go {B.to}.");
        Interludes.Keepsake(t);
        t.Say('m', rule + ".", 'h');
        if (t.Dialogue)
            t.Say('h', "[Yes, yes. I know.|All right. I will be careful.|I am not a baby!]", 'm', "said");
        if (t.Do(Foreshadowing))
            t.Tell("[A crow on the roof called three times, as if it knew something.|{m} watched {h.n} go and had a bad feeling.|{h} did not see the worried look on {m.s} face.]");
        t.Go('h', 'B');
        t.Want('h', "have fun {B.in} without rules");
        if (!ice && t.Chance(0.4))
            Interludes.Tell(t, 'B');
        t.Tell("{B.in}, {h} forgot the warning. [Or maybe {h.he} did not want to remember it.|\"It will be fine,\" {h.he} thought.|\"Nobody can see me,\" {h.he} thought.] {h} " + act + ".");
        t.Problem("{h} did not listen to the warning");
        t.Para();
        t.Tell("[And then it happened.|It was fun at first, but only for a short time.|It did not go well.] " + result + ". [\"Help!\" {h.he} cried.|Now {h} was very sorry.|{h} was scared and wanted to go home.]");
        t.Feel('h', "scared");
        if (t.Bad)
        {
            t.Tell("[Nobody was there to help.|It was a long time until somebody came.] In the end, {h} got home, cold and hurt, and had to stay in bed for [a week|many days]. Outside, all the others played in the sun.");
            t.Go('h', 'A');
            t.Fail('h', "{h} got hurt and had to stay in bed");
            Beats.Sad(t);
            t.Moral("[it is wise to listen to a warning|rules can keep us safe]");
            t.Sum("{m} warns {h}: \"" + rule + ".\" {h.n} does not listen, gets hurt and has to stay in bed.");
            return;
        }

        t.GrownUp('x', "fisherman", "farmer", "neighbor", "gardener");
        t.Start('x', 'B');
        t.Ev(Help, 'x', '\0', 'h');
        t.Tell("Luckily, {x.n}, {x.dk}, was near and came to help. ^{x.he} [brought {h.n} home|took {h.n} by the hand and walked home with {h.him}].");
        t.Go('h', 'x', 'A');
        t.Ev(Apologize, 'h', '\0', 'm');
        t.Say('h', "[I am sorry. I should have listened to you.|You were right, {m.v}. I am sorry.]", 'm', "said");
        if (t.Dialogue)
            t.Say('m', "[I am just happy that you are safe.|I only say such things because I love you.]", 'h');
        t.Ev(Forgive, 'm', '\0', 'h');
        t.Succeed('h', "{x} brought {h} home");
        if (!t.Moral("[it is wise to listen to a warning|rules can keep us safe|grown-ups often have a good reason when they say no]"))
            t.Tell("{m} gave {h.n} a warm blanket and a big hug.");
        Beats.Happy(t);
        t.Sum("{m} warns {h}, but {h.n} does not listen and gets into trouble. {x} helps, and {h} says sorry.");
    }

    private static void HideAndSeek(Tale t)
    {
        t.Hero();
        t.Friend();
        t.SomePlace('B', p => p.Outdoor && p.Word is not "the street" and not "the bus stop");
        Beats.Open(t, VerbKind.Play);
        Beats.Meet(t, 'A');
        if (t.Do(Foreshadowing))
            t.Tell("That morning, {f.n} was very tired, because {f.he} had slept so little. [^{f.he} yawned again and again.|But {f.he} did not tell anybody.]");
        t.Para();
        t.Tell("{day}, they went {B.to} to play hide-and-seek. {h} [closed both eyes|turned to a tree] and counted to twenty. \"Here I come!\" {h.he} called.");
        t.Go('h', 'f', 'B');
        t.Want('h', "find {f}");
        t.Ev(Hide, 'f');
        t.OneOf('n', NounKind.Building, false, ["car", "truck", "wagon", "cart", "wall", "fence", "shed", "gate", "well", "hut", "bush", "tree", "hedge", "oak", "willow", "rosebush", "barrel", "crate", "rock", "tent"]);
        t.Tell("{h} looked behind {n.a}. No {f.n}. ^{h.he} looked [under a bench|behind a big stone|in the tall grass]. No {f.n}. ^{h.he} looked everywhere, but {f.n} was nowhere to be found.");
        t.Problem("{f} could not be found");
        t.Para();
        t.Tell("[Time went by.|The sun went lower and lower.] {h} began to worry. [\"Where are you? You have won!\" {h.he} called.|\"Come out! The game is over!\" {h.he} shouted.] But there was no answer.");
        t.Feel('h', "worried");
        if (t.Do(Twist))
        {
            t.Tell("{h} sat down on a log and began to cry. Then the log moved! It was not a log at all. It was {f.n} under a brown blanket! ^{f} had been there right from the start.");
            t.Succeed('h', "{f} had been under a brown blanket right there");
        }
        else
        {
            t.Tell("Then {h} heard something. It was a soft snore! ^{h} followed the sound [to a big bush|around the corner|to a pile of leaves]. There lay {f.n}, fast asleep.");
            t.Ev(Notice, 'h');
            t.Succeed('h', "{f} had fallen asleep in the hiding place");
        }

        if (t.Dialogue)
        {
            t.Say('h', "[I was so worried about you!|I found you! I looked for you for so long.]", 'f');
            t.Say('f', t.Done.Contains(Twist) ? "[I am the best at hiding!|Was that a good trick?]" : "[I am sorry. I was so tired.|Did I win?|Oh! Is it morning?]", 'h');
        }

        t.Para();
        t.Tell("Both of them [laughed|laughed and laughed]. " + (t.Chance(0.5) ? "On the way home, they {v.ed}." : "Next time, they would play a different game."));
        Beats.Happy(t, 'f');
        t.Sum("{h} and {f} play hide-and-seek {B.in}. {h} cannot find {f.n} for a long time, because " + (t.Done.Contains(Twist) ? "{f.n} is hidden under a blanket right there." : "{f.n} has fallen asleep."));
    }

    private static void StageFright(Tale t)
    {
        t.Hero();
        t['h'].Trait = t.Random.Pick(["shy", "quiet", "nervous", "little", "sweet"]);
        t.GrownUp('m', "teacher", "baker", "farmer");
        t.SomePlace('B');
        t.Activity('s', VerbKind.Skill);
        string show = t.Random.Pick(["sing a song", "say a poem", "play the flute", "dance", "tell a joke", "play the drum", "show a magic trick"]);
        t.Word('z', show);
        Beats.Open(t);
        t.Start('m', 'B');
        t.Para();
        Interludes.Keepsake(t);
        t.Tell("Soon there would be a big show {B.in}. {m.n}, {m.dk}, asked {h.n} to {z}. [{h} was good at it, but only when {h.he} was alone.|At home, {h} could do it very well.]");
        t.Go('h', 'B');
        t.Want('h', "{z} in the show");
        t.Problem("{h} was afraid of all the people");
        t.Tell("On the day of the show, {h} saw all the people. [So many eyes!|The place was full.] {h.s} [knees shook|mouth was dry|hands were cold].");
        t.Feel('h', "scared");
        if (t.Dialogue)
        {
            t.Say('h', "[I cannot do it. I am too scared.|What if I forget everything?|What if they laugh at me?]", 'm');
            t.Say('m', "[Look only at me, and think that we are alone.|Take a deep breath. You can do it.|I was afraid my first time, too. Just begin.]", 'h');
        }
        else
        {
            t.Tell("{m.n} saw it and gave {h.n} a warm smile.");
        }

        t.Ev(Help, 'm', '\0', 'h');
        t.Para();
        if (t.Bad)
        {
            t.Tell("{h} went up, step by step. It was very quiet. ^{h.he} opened {h.his} mouth, but nothing came out. Somebody laughed. {h} turned around and ran away.");
            t.Go('h', 'A');
            t.Fail('h', "{h} was too scared and ran away");
            Beats.Sad(t);
            t.Moral("[it hurts when others laugh, so we should not laugh at somebody who is scared|not every brave try works the first time]");
            t.Sum("{h} is asked to {z} in a show. But {h.n} is too scared and runs away.");
            return;
        }

        if (t.Do(Twist))
            t.Tell("{h} went up. Suddenly, all the lights went out! It was so dark that nobody could see {h.o}. And in the dark, {h} was not afraid at all. ^{h.he} began to {z}. When the lights came back, everybody stood up and clapped.");
        else
            t.Tell("{h} took a deep breath and began to {z}. [First it was very soft, and then it got stronger.|After a moment, {h.he} forgot all the people.] When it was over, everybody clapped and cheered.");
        t.Succeed('h', "{h} began in spite of the fear");
        t.Tell("[{h} could not stop smiling.|\"I did it!\" {h.he} thought.]");
        t.Moral("[being brave means doing it even when you are scared|you can do more than you think|a deep breath can help]");
        Beats.Happy(t);
        t.Sum("{h} is asked to {z} in a show and is very scared. {m} helps {h.o} to be brave, and everybody claps.");
    }

    private static void Trade(Tale t)
    {
        t.Hero();
        t.Friend('f');
        t.Some('o', NounKind.Toy, NounKind.Clothes, NounKind.Paper);
        t.Some('p', NounKind.Toy, NounKind.Instrument, NounKind.Treasure);
        t.SomePlace('B');
        Beats.Open(t);
        t.Own('h', 'o');
        t.Start('f', 'B');
        t.Own('f', 'p');
        t.Tell("{h} had {o.a}. [{h.he} had had {o.it} for a long time.|It was a gift from {h.his} grandpa.]".Replace("It was", "{o.its} {o.was}").Replace("[{h.he} had", "[^{h.he} had"));
        t.Para();
        t.Tell("{day}, {h} met {f.d} {B.in}. ^{f.n} had {p.a}, and {h} thought that {p.it} looked much better.".Replace("that {p.it} looked", "that {p.its} looked"));
        t.Go('h', 'B');
        if (t.Chance(0.3))
            Interludes.Tell(t, 'B');
        t.Want('h', "have {the p}");
        if (t.Dialogue)
        {
            t.Say('h', "[I like your {p}! Would you like to trade?|Do you want my {o}? Then I could have your {p}.]", 'f');
            t.Say('f', "[All right! Let us trade.|Yes! I have always wanted {o.one} like that.]", 'h');
        }
        else
        {
            t.Tell("So they made a trade.");
        }

        t.Ev(Give, 'h', 'o', 'f');
        t.Ev(Give, 'f', 'p', 'h');
        t.Tell("{h.n} took {the p} and {f.n} took {the o}. [At first, both were happy.|{h} ran home as fast as {h.he} could.]");
        t.Go('h', 'A');
        t.Para();
        t.Problem("{h} missed {the o}");
        t.Tell("But in the evening, {h} [could not sleep|felt strange]. ^{h.he} looked at the empty place where {the o} had been. {the p.n} {p.was} nice, but {h} missed {the o} so much.");
        t.Feel('h', "sad");
        t.Go('h', 'B');
        if (t.Bad)
        {
            t.LoseAt('f', 'o', 'B');
            t.Ev(Vanish, 'f', 'o');
            t.Fail('h', "{f} had already lost {the o}");
            t.Tell("The next morning, {h} ran to {f.n} to trade back. But {f.n} looked at the ground. \"I am so sorry,\" {f.he} said. \"I lost {o.it}.\"");
            Beats.Sad(t);
            t.Moral("[you often see how good a thing is when it is gone|we should think before we give away what we love]");
            t.Sum("{h} trades {o.a} for {p.a}. When {h.n} wants to trade back, {f} has already lost {o.it}.");
            return;
        }

        t.Tell("The next morning, {h} went back to find {f.n}.");
        if (t.Do(Twist))
            t.Tell("But halfway there, {h.he} saw {f.n} running towards {h.o} with {the o}! ^{f} had not slept, either. ^{f.he} wanted {the p} back just as much. They looked at each other and laughed.");
        else if (t.Dialogue)
        {
            t.Say('h', "[I am sorry, but I miss my {o}. Can we trade back?|Could I please have my {o} again?]", 'f');
            t.Say('f', "[Of course. And we can still play with both.|Yes. A friend is more important than a {p}.]".Replace("a {p}", "any {p}"), 'h');
        }
        else
        {
            t.Tell("{f.n} understood and was not angry.");
        }

        t.Ev(Give, 'h', 'p', 'f');
        t.Ev(Give, 'f', 'o', 'h');
        t.Succeed('h', "they traded back and stayed friends");
        t.Tell("So they traded back, and then they played with both things together.");
        t.Moral("[new things are not always better|it is good to be happy with what you have]");
        Beats.Happy(t, 'f');
        t.Sum("{h} trades {o.a} for {p.a}, but soon misses {o.it}. {f} understands, and they trade back.");
    }
}
