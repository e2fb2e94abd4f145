using static Slm.Training.Stories.EventKind;
using static Slm.Training.Stories.StoryFeature;

namespace Slm.Training.Stories;

/// <summary>Plots about friends, sharing, quarrels, gifts and truth.</summary>
internal static class SchemasSocial
{
    public static readonly StorySchema[] All =
    [
        new("share-food", ShareFood, new HashSet<StoryFeature> { MoralValue, Conflict, BadEnding, Twist }),
        new("quarrel-over-toy", Quarrel, new HashSet<StoryFeature> { MoralValue, Conflict, BadEnding }),
        new("gift", Gift, new HashSet<StoryFeature> { Twist, MoralValue }),
        new("new-friend", NewFriend, new HashSet<StoryFeature> { MoralValue, Twist }),
        new("false-alarm", FalseAlarm, new HashSet<StoryFeature> { BadEnding, MoralValue, Foreshadowing }),
        new("sick-friend", SickFriend, new HashSet<StoryFeature> { MoralValue, Twist }),
        new("help-neighbor", HelpNeighbor, new HashSet<StoryFeature> { Twist, MoralValue }),
    ];

    private static void ShareFood(Tale t)
    {
        bool greedy = t.Chance(0.6);
        t.Hero(false, greedy ? AdjectiveKind.Fault : AdjectiveKind.Trait);
        t.Friend();
        t.Some('o', NounKind.Food);
        t.SomePlace('B');
        Beats.Open(t);
        t.Own('h', 'o');
        t.Start('f', 'B');
        t.Para();
        t.Tell("{day}, {h} went {B.to} with {o.a} [in {h.his} bag|for lunch|from {h.his} mom]. [It smelled so good.|{h} could not wait to eat.|{h.s} tummy was already making funny sounds.]".Replace("It smelled", "{o.its} smelled"));
        t.Go('h', 'B');
        t.Want('h', "enjoy {the o}");
        t.Tell("[There sat {f.d}.|There {h} met {f.d}.|On a bench sat {f.d}.] ^{f.n} looked at {the o} with big eyes. [{f} had nothing to eat.|{f} was very hungry.|{f} had forgotten to bring lunch.]");
        t.Problem("{f} was hungry too");
        if (t.Dialogue)
        {
            t.Say('f', "[{o.is} that {an o}? May I have a little bite?|I am so hungry. Could you share with me?|That smells good! Can I try some?]".Replace("{o.is} that {an o}", "What do you have there", StringComparison.Ordinal), 'h');
        }
        else
        {
            t.Tell("{f} asked for a little bite.");
        }

        t.Para();
        if (greedy || t.Bad)
        {
            t.Say('h', "[No! It is all mine.|I do not want to share.|Go away. I want to eat it all.]".Replace("It is", "{o.its} {o.is}").Replace("eat it", "eat {o.it}"), 'f');
            if (t.Do(Conflict))
            {
                t.Quarrel('h', 'f');
                t.Tell("[{f} got angry and called {h.n} mean.|{f} stamped one foot, and the two began to shout.|\"You are so mean!\" {f.n} shouted, and they began to fight with words.]");
            }

            t.Feel('f', "sad");
            t.Ev(Eat, 'h', 'o');
            t.Tell("{h.n} turned around and ate all of it very fast. [Too fast!|Not one bit was left.] Soon {h.his} tummy began to hurt. [\"Ouch,\" said {h.n}.|{h.n} had to sit down.|{h.n} could not even walk.]".Replace("all of it", "all of {o.it}"));
            t.Feel('h', "sick");
            if (t.Bad)
            {
                t.Tell("{f} had already gone away. [There was nobody to help.|There was nobody to play with.] {h} had to lie down all day with a bad tummy ache.");
                t.Fail('h', "{h} ate everything alone and got a tummy ache");
                Beats.Sad(t);
                t.Moral("[being greedy can hurt|food tastes better when you share it]");
                t.Sum("{h} does not want to share {the o} with {f}. {h} eats everything alone and gets a tummy ache.");
                return;
            }

            t.Para();
            t.Ev(Help, 'f', '\0', 'h');
            t.Tell("{f.n} saw it and [brought some water|sat down next to {h.n}|held {h.n}'s hand]. [^{f} was still hungry, but {f.he} was kind.|It was a kind thing to do.]");
            t.Ev(Apologize, 'h', '\0', 'f');
            t.Say('h', "[I am sorry. I was greedy.|You are so nice to me, and I was mean. I am sorry.|I should have shared. I am sorry.]", 'f');
            if (t.Dialogue)
                t.Say('f', "[That is all right. Next time we can share.|I forgive you. Are you feeling better?]", 'h');
            t.Ev(Forgive, 'f', '\0', 'h');
            t.Some('p', NounKind.Food);
            t.Ev(Make, 'h', 'p');
            t.Tell("The next day, {h.n} came back with {p.a} and gave {f.n} the bigger half.");
            t.Ev(Give, 'h', 'p', 'f');
            t.Succeed('h', "{h} said sorry and shared {the p} the next day");
            t.Moral("[sharing is better than being greedy|food tastes better when you share it]");
            Beats.Happy(t, 'f');
            t.Sum("{h} does not share {the o} with hungry {f} and gets a tummy ache. {f} is kind anyway, so {h} says sorry and shares the next time.");
            return;
        }

        t.Tell("{h} [thought for a moment|looked at {the o} and then at {f.n}]. Then {h.he} [cut {the o} in half|gave {f.n} a big piece]. They sat down and ate together.".Replace("cut {the o} in half", "gave {f.n} half of {the o}", StringComparison.Ordinal));
        t.Ev(Help, 'h', '\0', 'f');
        t.Ev(Eat, 'h', 'o');
        t.Feel('f', "happy");
        if (t.Dialogue)
            t.Say('f', "[Thank you! You are so kind.|This is the best lunch ever!|Mmm! Thank you for sharing.]", 'h');
        if (t.Do(Twist))
        {
            t.Para();
            t.Some('p', NounKind.Treasure, NounKind.Toy);
            t.Own('f', 'p');
            t.Tell("Then {f.n} smiled and reached into a bag. \"I have something for you, too,\" {f.he} said. Out came {p.a}! It was the very thing that {h.n} had always wished for.".Replace("It was the very thing", "This was just what").Replace("what that", "what"));
            t.Ev(Give, 'f', 'p', 'h');
        }

        t.Activity('w', VerbKind.Play);
        t.Tell("After that, they {w.ed} until it was time to go home.");
        t.Succeed('h', "{h} shared {the o} and found a friend");
        if (!t.Moral("[sharing makes two people happy|a shared meal tastes better|kindness comes back to you]"))
            t.Tell("[Sharing made them both happy.|{h} had less to eat, but {h.he} had a new friend.]");
        Beats.Happy(t, 'f');
        t.Sum("{h} has {o.a} and meets hungry {f}. {h} shares the food, and they become friends.");
    }

    private static void Quarrel(Tale t)
    {
        t.Hero();
        t.Friend();
        t.Some('o', NounKind.Toy, NounKind.Instrument, NounKind.Paper);
        t.SomePlace('B');
        Beats.Open(t);
        Beats.Meet(t, 'A');
        t.Lie('o', 'B');
        t.Para();
        t.Tell("{day}, {h.n} and {f.n} went {B.to}.");
        t.Go('h', 'f', 'B');
        if (t.Chance(0.4))
            Interludes.Tell(t, 'B', 'f');
        t.Tell("[There they found {o.a}.|There {o.was} {o.a} on the ground, and it belonged to nobody.|Then they found {o.a} that nobody seemed to want.]");
        t.Want('h', "play with {the o}");
        t.Problem("both wanted {the o} at the same time");
        bool fight = t.Wanted.Contains(Conflict) || t.Chance(0.6) || t.Bad;
        if (t.Dialogue)
        {
            t.Say('h', "[I saw it first!|It is mine!|I want to play with it first!]", 'f');
            t.Say('f', "[No, I saw it first!|That is not fair! I want it.|You always go first!]", 'h');
        }
        else
        {
            t.Tell("Both of them wanted to have it, and nobody wanted to wait.");
        }

        if (fight)
        {
            t.Quarrel('h', 'f');
            t.Ev(Take, 'h', 'o');
            t.Tell("{h.n} pulled on one side and {f.n} pulled on the other side. They pulled [harder and harder|and pulled]. Crack! {the o.n} broke in two.");
            t.Ev(Break, 'f', 'o');
            t.Feel('h', "sad");
            t.Feel('f', "sad");
            t.Para();
            t.Tell("[Now nobody could play with it.|They looked at the two parts and were very quiet.|All the fun was gone.]");
            if (t.Bad)
            {
                if (t.Dialogue)
                {
                    t.Say('f', "[This is your fault!|You broke it!]", 'h');
                    t.Say('h', "[No, it is your fault! I do not want to be your friend.|Go away! I do not like you any more.]", 'f');
                }

                t.Tell("{f.n} went home one way, and {h.n} went home the other way. [They did not say goodbye.|They did not look back.]");
                t.Go('h', 'A');
                t.Fail('h', "{the o} broke and the friends parted in anger");
                Beats.Sad(t);
                t.Moral("[a friend is worth more than a toy|fighting breaks more than toys]");
                t.Sum("{h} and {f} fight over {o.a} until it breaks. They go home angry and are no longer friends.");
                return;
            }

            t.Ev(Apologize, 'h', '\0', 'f');
            if (t.Dialogue)
            {
                t.Say('h', "[I am sorry. I should have let you have a turn.|I am sorry I pulled so hard.|It is broken because of me. I am sorry.]", 'f');
                t.Say('f', "[I am sorry too. Let us try to fix it.|I was mean too. Can we be friends again?]", 'h');
            }
            else
            {
                t.Tell("Then {h} said sorry, and {f.n} said sorry too.");
            }

            t.Ev(Forgive, 'f', '\0', 'h');
            t.OneOf('p', NounKind.Tool, true, ["glue", "tape", "string"]);
            t.Own('h', 'p');
            t.Ev(Use, 'h', 'p');
            t.Ev(Fix, 'h', 'o');
            t.Tell("They took {p} and worked together. [Bit by bit, {the o} came together again.|Soon {the o} was whole again.]");
        }
        else
        {
            t.Para();
            t.Ev(Help, 'h', '\0', 'f');
            t.Tell("Then {h} had an idea. [They could take turns and count to twenty.|Each of them could play for as long as one song.|They could make up a game for two.]");
            t.Ev(Take, 'h', 'o');
            if (t.Dialogue)
                t.Say('f', "[That is a good idea!|Yes! You can go first.]", 'h');
        }

        t.Para();
        t.Tell("From then on, they took turns. First {f.n} played with {the o}, and then {h.n} did. [It was more fun than fighting.|Nobody was angry any more.]");
        t.Succeed('h', "they took turns with {the o}");
        t.Moral("[taking turns is better than fighting|a friend is worth more than a toy|it is good to share]");
        Beats.Happy(t, 'f');
        t.Sum(fight ? "{h} and {f} fight over {o.a}, and it breaks. They say sorry, fix it and take turns." : "{h} and {f} both want {o.a}. They find a way to take turns.");
    }

    private static void Gift(Tale t)
    {
        t.Hero();
        if (t.Chance(0.5))
            t.Elder('f');
        else
            t.Friend();
        t.Some('o', NounKind.Paper, NounKind.Clothes, NounKind.Toy, NounKind.Treasure, NounKind.Tool);
        t.SomePlace('B', p => p.Outdoor);
        Beats.Open(t, VerbKind.Calm);
        t.Para();
        t.Start('f', 'A');
        string f = t['f'].Adult ? "{f.n}" : "{h.his} friend {f.n}";
        t.Tell($"[Soon it would be the birthday of {f}.|The next day was the birthday of {f}.] {{h}} wanted to give {{f.o}} something special, but {{h.he}} had no money[.| at all.]".Replace("the birthday of {f.n}", "a big day for {f.n}. It was a birthday").Replace("a big day for {f.n}. It was a birthday", "the birthday of {f.n}"));
        t.Want('h', "find a good gift for {f}");
        t.Problem("{h} had no money for a gift");
        t.Some('p', NounKind.Nature, NounKind.Nature, NounKind.Paper);
        t.Lie('p', 'B');
        t.Tell("[{h} thought and thought.|All night, {h} thought about it.] Then {h} had an idea. ^{h.he} could make something!");
        t.Para();
        t.Tell("{h.n} went {B.to} to look for pretty things. There {h.he} found {p.a}. ^{h.he} took {p.it} home and worked all day. [^{h.he} cut and glued and painted.|^{h.his} hands got sticky, but {h.he} did not stop.|It took a long time, but {h.he} was patient.]");
        t.Go('h', 'B');
        if (t.Chance(0.4))
            Interludes.Tell(t, 'B');
        t.Ev(Take, 'h', 'p');
        t.Go('h', 'A');
        t.OneOf('q', NounKind.Toy, false, ["card", "picture", "crown", "necklace", "puppet", "frame", "birdhouse", "bracelet", "little boat", "mask", "lamp"]);
        t.Ev(Make, 'h', 'q');
        t.Tell("In the end, {h} had made {q.a} with {the p} on it.");
        if (t.Chance(0.5))
            t.Tell("[\"I hope it is good enough,\" {h.he} whispered.|Was it pretty enough? {h} was not sure.]");
        t.Para();
        t.Tell("When the day came, {h} gave {the q} to {f.n}.");
        t.Ev(Give, 'h', 'q', 'f');
        if (t.Dialogue)
        {
            t.Say('h', "[This is for you. I made it myself.|Happy birthday! I made this for you.]", 'f');
            t.Say('f', "[It is the best gift of all!|You made this? It is beautiful!|I love it! Thank you so much.]", 'h');
        }
        else
        {
            t.Tell("{f.n} looked at it for a long time and then gave {h.n} a big hug.");
        }

        t.Feel('f', "happy");
        if (t.Do(Twist))
        {
            t.Own('f', 'o');
            t.Tell("Then {f.n} laughed and took out a small box. \"I have a gift for you, too,\" {f.he} said. \"You are always so good to me.\" In the box {o.was} {o.a}! {h} had not expected that at all.");
            t.Ev(Give, 'f', 'o', 'h');
        }

        t.Succeed('h', "{h} made {q.a} and {f} loved it");
        if (!t.Moral("[a gift from the heart is the best gift|you do not need money to make someone happy]"))
            t.Tell("[{h} felt warm inside.|{the q.n} got the best place in the room.]");
        Beats.Happy(t, 'f');
        t.Sum("{h} has no money for a gift, so {h.he} makes {q.a} for {f}. {f} loves it" + (t.Done.Contains(Twist) ? " and has a surprise for {h.n}, too." : "."));
    }

    private static void NewFriend(Tale t)
    {
        t.Hero();
        t.Friend();
        t['f'].Trait = t.Random.Pick(["shy", "quiet", "new", "lonely"]);
        t.SomePlace('B');
        Beats.Open(t, VerbKind.Play);
        t.Start('f', 'B');
        t.Para();
        t.Tell("{day}, {h} went {B.to}. [Somebody new was there.|There was somebody {h.he} had never seen before.] It was {f.d}. ^{f} [sat all alone under a tree|stood in a corner and looked at the ground|watched the others but did not say a word].".Replace(" under a tree", t.Where('B').Outdoor ? " under a tree" : " on the floor", StringComparison.Ordinal));
        t.Go('h', 'B');
        t.Want('h', "make friends with {f}");
        t.Problem("{f} was too shy to talk");
        if (t.Dialogue)
        {
            t.Say('h', "[Hi! I am {h.v}. Do you want to play?|Hello! What is your name?|Hello! Would you like to play with me?]", 'f', "said");
            t.Tell("But {f.n} only looked at {f.his} feet and said nothing.");
        }
        else
        {
            t.Tell("{h} waved, but {f.n} looked away.");
        }

        t.Tell("[Some others laughed and ran on.|{h} felt a little sad.] [Maybe {f.n} did not like {h.o}?|What could {h} do?]");
        t.Para();
        t.Some('o', NounKind.Toy, NounKind.Food, NounKind.Paper);
        t.Own('h', 'o');
        t.Tell("Then {h.n} had an idea. ^{h.he} [took {o.a} out of {h.his} bag|went to get {o.a}], sat down next to {f.n} and said nothing at all. [After a while|Slowly], {h.he} [put {the o} between them|held out {the o}].");
        t.Ev(Give, 'h', 'o', 'f');
        t.Tell("{f.n} looked up and smiled[.| for the first time.]");
        t.Feel('f', "happy");
        t.Activity('w', VerbKind.Play);
        if (t.Dialogue)
        {
            t.Say('f', "[Thank you. I am {f.v}. I just moved here.|You are nice. I was afraid that nobody would like me.]", 'h', "said");
            t.Say('h', "[I like you! Come, let us play.|Now you have a friend. Come with me!]", 'f');
        }

        if (t.Do(Twist))
        {
            t.Tell("Then came a surprise. {f.n} was not so quiet at all! ^{f.he} knew the funniest jokes and could {w} better than anyone else {B.in}.");
            t.Tell("Soon everybody wanted to play with {f.n}. But {f} stayed with {h.n}, because {h.he} had been kind first.");
        }
        else
        {
            t.Tell("They {w.ed} together all afternoon. [{f.n} was not shy any more.|{f.n} laughed and laughed.]");
        }

        t.Succeed('h', "{h} was patient and kind and {f} opened up");
        t.Moral("[a little kindness can make a new friend|some friends need a little more time|it is good to be nice to someone new]");
        Beats.Happy(t, 'f');
        t.Sum("{h} meets {f}, who is new and shy. {h} is patient and shares {the o}, and they become friends.");
    }

    private static void FalseAlarm(Tale t)
    {
        t.Hero(false, AdjectiveKind.Fault);
        t.GrownUp('m', "farmer", "neighbor", "fisherman", "gardener");
        t.SomePlace('B', p => p.Outdoor);
        string danger = t.Random.Pick(["a wolf", "a fire", "a big bear", "a snake", "a monster"]);
        t.Word('z', danger);
        Beats.Open(t);
        t.Start('m', 'B');
        Interludes.Keepsake(t);
        t.Tell("But {h} also liked to play tricks on others.");
        t.Para();
        t.Tell("{day}, {h} was bored. ^{h.he} went {B.to} and began to shout.");
        t.Go('h', 'B');
        t.Say('h', "Help! Help! There is {z}!");
        t.Tell("{m.n}, {m.dk}, came running as fast as {m.he} could. But there was no {9}. {h.n} only laughed[.| and laughed.]".Replace("{9}", danger[(danger.IndexOf(' ') + 1)..]));
        if (t.Do(Foreshadowing) || t.Dialogue)
            t.Say('m', "[That was not funny. One day you may really need help.|If you lie, nobody will believe you when it is true.|Please do not do that again. A lie can hurt you.]", 'h');
        t.Tell("[The next day, {h} did it again, and {m.n} came again.|But {h} thought it was a good joke and did it once more.] {m} [was very angry|shook {m.his} head and went away].");
        t.Feel('m', "angry");
        t.Ev(Act, 'h', '\0', '\0', "lie");
        t.Para();
        t.Want('h', "get help against {z}");
        t.Problem("nobody believed {h} any more");
        t.Feel('h', "scared");
        t.Tell("Then, one evening, {h} heard a strange sound. This time there really was {z}! {h} was so scared that {h.his} legs shook.");
        t.Say('h', "[Help! Please help me!|Please come! This time it is true!]");
        if (t.Bad)
        {
            t.Tell("{m.n} heard it, but {m.he} thought it was one more trick. Nobody came. {h} had to run all the way home. ^{h.he} lost both shoes, hurt {h.his} knee and cried all night.".Replace("lost both shoes, hurt {h.his} knee", t['h'].Animal ? "fell into a ditch, hurt {h.his} leg" : "lost both shoes, hurt {h.his} knee"));
            t.Fail('h', "nobody came to help because {h} had lied");
            t.Moral("[nobody believes a liar, even when it is true|we should not call for help as a joke]");
            if (!t.Done.Contains(MoralValue))
                t.Tell("[{h} was alone and very sorry for the tricks.|If only {h.he} had not lied!]");
            t.Sum("{h} shouts that there is {z}, but it is only a trick. When it really comes, nobody helps.");
            return;
        }

        t.Tell("{m.n} was not sure. Was it one more trick? But {m.he} had a good heart and came to look. ^{m.he} made a lot of noise with [an old pot|a big drum|a shovel], and the danger [was soon over|went away].".Replace("made a lot of noise with [an old pot|a big drum|a shovel], and the danger [was soon over|went away]", danger == "a fire" ? "brought a bucket of water, and soon the fire was out" : "made a lot of noise with [an old pot|a big drum|a shovel], and the danger went away", StringComparison.Ordinal));
        t.Ev(Help, 'm', '\0', 'h');
        t.Succeed('h', "{m} came in spite of the lies");
        t.Ev(Apologize, 'h', '\0', 'm');
        t.Say('h', "[Thank you for coming. I will never lie again.|I am so sorry for my tricks. Thank you!]", 'm');
        if (t.Dialogue)
            t.Say('m', "[I am glad that you are safe.|I hope so. Now let us get you home.]", 'h');
        t.Ev(Forgive, 'm', '\0', 'h');
        t.Para();
        if (!t.Moral("[nobody believes a liar, even when it is true|we should not call for help as a joke|it is important to tell the truth]"))
            t.Tell("{h} kept {h.his} word and never played such tricks again.");
        Beats.Happy(t);
        t.Sum("{h} plays tricks and shouts that there is {z}. When it really comes, {m} still helps, and {h} promises not to lie again.");
    }

    private static void SickFriend(Tale t)
    {
        t.Hero();
        t.Friend();
        t.Some('o', NounKind.Food);
        t.Some('p', NounKind.Paper, NounKind.Toy);
        Beats.Open(t, VerbKind.Play);
        t.SomePlace('B', p => p.Outdoor);
        t.Tell("Every day, {h.he} met {h.his} friend {f.n}, {f.dk}, {B.in}.");
        t.Put('C', new Place(t['f'].Name + "'s house", "at " + t['f'].Name + "'s house", "to " + t['f'].Name + "'s house", false, true));
        t.Start('f', 'C');
        t.Para();
        t.Tell("But {day}, {f.n} was not there. [{h} waited and waited.|{h} looked all around.] So {h.he} went {C.to} and knocked on the door. {f.n} was in bed, with a red nose and a hot head.");
        t.Go('h', 'B');
        t.Go('h', 'C');
        t.Feel('f', "sick");
        t.Want('h', "make {f} feel better");
        t.Problem("{f} was sick in bed");
        if (t.Dialogue)
        {
            t.Say('f', "[I am sick. I cannot come out to play.|Achoo! I feel so bad today.]", 'h', "said");
            t.Say('h', "[Oh no! I will help you to get better.|Do not worry. I will be right back!]", 'f');
        }
        else
        {
            t.Tell("{h} felt sorry for {f.o} and wanted to help.");
        }

        t.Para();
        t.Go('h', 'A');
        t.Own('h', 'o');
        t.Own('h', 'p');
        t.Tell("{h.n} ran home and got {o.a}. ^{h.he} also took {p.a}, because {f.n} liked such things. Then {h} went back and sat down next to the bed.");
        t.Go('h', 'C');
        t.Ev(Give, 'h', 'o', 'f');
        t.Ev(Give, 'h', 'p', 'f');
        t.Ev(Eat, 'f', 'o');
        t.Ev(Help, 'h', '\0', 'f');
        t.Activity('w', VerbKind.Calm);
        t.Tell("{f.n} ate {the o} and smiled. [{h} told a funny story.|{h} sang a little song.|They talked until {f.n} fell asleep.] [Day by day, {f.n} felt better.|A few days later, {f.n} was well again.]");
        t.Feel('f', "well");
        if (t.Do(Twist))
        {
            t.Feel('h', "sick");
            t.Tell("But guess what! The next morning, {h.n} woke up with a red nose and a hot head. Now {h.he} was the sick one! There was a knock on the door, and there stood {f.n} with a big bowl of soup. \"Now it is my turn,\" {f.he} said.");
            t.Go('h', 'A');
            t.Go('f', 'A');
        }

        t.Succeed('h', "{h} took care of {f} until all was well");
        t.Moral("[a good friend is there when you are sick|a little care can help a lot|friends take care of each other]");
        Beats.Happy(t, 'f');
        t.Sum("{f} is sick in bed. {h} brings {o.a} and {p.a} and takes care of {f.n} until {f.he} is well again.");
    }

    private static void HelpNeighbor(Tale t)
    {
        t.Hero();
        t.GrownUp('m', "farmer", "neighbor", "baker", "gardener", "carpenter");
        t.SomePlace('B');
        t.Activity('w', VerbKind.Chore);
        Beats.Open(t);
        t.Start('m', 'B');
        t.Para();
        t.Tell("{day}, {h} wanted to go out and {v}. On the way, {h.he} saw {m.d}. ^{m.n} looked very tired. [There was so much work to do, and nobody was there to help.|^{m.n} had hurt one arm and could not work well.]");
        t.Go('h', 'B');
        t.Want('h', "help {m}");
        t.Problem("{m} had too much work to do alone");
        if (t.Dialogue)
        {
            t.Say('h', "[Are you all right?|Can I help you?|You look tired. What do you have to do?]", 'm');
            t.Say('m', "[Oh, I still have to {w}. It is too much for me alone.|I must {w} before the sun goes down.]", 'h');
            t.Say('h', "[I can help you!|Let me help. We can do it together!]", 'm');
        }
        else
        {
            t.Tell("{m} still had to {w}. {h} thought about the fun {h.he} would miss, but then {h.he} offered to help.");
        }

        t.Ev(Help, 'h', '\0', 'm');
        t.Ev(Act, 'h', '\0', '\0', t.Isolated("{w}"));
        t.Para();
        t.Tell("So they began to {w} together. [It was hard, and {h} got tired.|It was not easy, but {h} did not stop.|At first {h} was slow, but soon {h.he} was fast.] [{m} told funny stories, and the time flew by.|They sang a song, and the work felt light.] When the sun was low, everything was done.");
        t.Some('o', NounKind.Toy, NounKind.Treasure, NounKind.Food, NounKind.Instrument);
        t.Own('m', 'o');
        if (t.Do(Twist))
        {
            t.Tell("[{h} wanted to say goodbye|{h} turned to go home], but {m.n} smiled. \"I was not really in such a hurry,\" {m.he} said. \"I wanted to find somebody with a good heart, because I have a gift to give away.\" Then {m.n} opened a box and took out {o.a}. \"Now {o.its} {o.is} yours!\"");
        }
        else
        {
            t.Tell("To say thank you, {m.n} gave {h.n} {o.a}.");
        }

        t.Ev(Give, 'm', 'o', 'h');
        t.Succeed('h', "{h} helped {m} and they finished the work");
        if (t.Dialogue)
            t.Say('h', "[Thank you! I love {o.it}!|For me? Thank you so much!]", 'm');
        t.Para();
        t.Moral("[helping others feels good|a good deed comes back to you|work is fun when you do it together]");
        Beats.Happy(t);
        t.Sum("{h} sees that {m}, {m.dk}, is tired and helps to {w}. {m.n} says thank you with {o.a}.");
    }
}
