using static Slm.Training.Stories.EventKind;
using static Slm.Training.Stories.StoryFeature;

namespace Slm.Training.Stories;

/// <summary>Plots about things that get lost, broken, taken or blown away.</summary>
internal static class SchemasLoss
{
    public static readonly StorySchema[] All =
    [
        new("lost-thing", LostThing, new HashSet<StoryFeature> { Twist, BadEnding, MoralValue, Foreshadowing }),
        new("broken-thing", BrokenThing, new HashSet<StoryFeature> { MoralValue, BadEnding, Foreshadowing }),
        new("storm", Storm, new HashSet<StoryFeature> { Foreshadowing, BadEnding, MoralValue }),
        new("taken-thing", TakenThing, new HashSet<StoryFeature> { Conflict, MoralValue, BadEnding }),
        new("messy-room", MessyRoom, new HashSet<StoryFeature> { MoralValue, Twist }),
        new("fix-it", FixIt, new HashSet<StoryFeature> { BadEnding, MoralValue }),
    ];

    private static void LostThing(Tale t)
    {
        t.Hero();
        var o = t.SomePortable('o', true);
        t.SomePlace('B', p => p.Outdoor);
        Beats.Open(t);
        t.Own('h', 'o');
        t.Tell("[{h} had {o.a}|{h} owned {o.a}|{h.s} favorite thing was {o.a}] that {h.he} [took everywhere|loved very much|got from {h.his} grandma|kept close all day].");
        if (t.Do(Foreshadowing))
        {
            t.Tell("[There was a small hole in {h.his} pocket, but {h} did not think about it.|\"Take good care of {o.it},\" {h.his} mom always said, but {h} often forgot.|{h.s} bag did not close well any more, but {h.he} did not mind.]");
        }

        t.Para();
        t.Tell("[{day}, {h} went {B.to} with {the o}.|{day}, {h} took {the o} {B.to}.]");
        t.Go('h', 'B');
        if (t.Chance(0.4))
            Interludes.Tell(t, 'B');
        t.Activity('w', VerbKind.Play);
        t.Tell("[{h} wanted to {w} there.|There {h.he} began to {w}.|{h} {w.ed} until {h.he} was tired.]");
        if (t.Chance(0.4))
            Beats.See(t, 'n', t.Random.Pick(["After a while", "There", "A little later"]));
        t.Ev(Act, 'h', '\0', '\0', t.Isolated("{w}"));
        t.LoseAt('h', 'o', 'B');
        t.Feel('h', "sad");
        t.Want('h', "find {the o} again");
        t.Problem("{h} lost {the o} {B.in}");
        t.Tell("[But when it was time to go home, {the o} {o.was} gone!|Then {h} reached for {the o}, but {o.its} {o.was} not there.|Suddenly {h} saw that {the o} {o.was} gone.]");
        t.Tell("[{h} felt very {7}.|{h.s} eyes filled with tears.|{h} looked to the left and to the right, but could not see {o.it}.|{h} did not know what to do.]".Replace("{7}", t.Random.Pick(["sad", "worried", "upset"])));
        t.Para();
        bool friend = t.Chance(0.75);
        if (friend)
        {
            t.Friend();
            t.Start('f', 'B');
            t.Tell("[Just then, {f.d} came by.|Nearby, {h} saw {f.d}.|{f.d} heard {h.o} and came over.]");
            if (t.Dialogue)
            {
                t.Say('f', "[What is wrong?|Why are you so sad?|Can I help you?|What happened?]", 'h');
                t.Say('h', "[I lost my {o}. I cannot find {o.it} anywhere.|My {o} {o.is} gone! I looked [everywhere|all over].|I had my {o} this morning, and now {o.its} {o.is} gone.]", 'f');
                t.Say('f', "[Do not worry. Let us look together!|I will help you. Where did you play?|Two can see more than one. Come on!]", 'h');
            }
            else
            {
                t.Tell("{h} told {f.o} about {the o}, and {f.n} [promised|wanted] to help.");
            }

            t.Ev(Help, 'f', '\0', 'h');
        }

        string they = friend ? "they" : "{h}";
        t.Tell($"[First {they} looked behind a bush. Then {they} looked under a bench.|{they} looked in the grass, behind the stones and under the leaves.|{they} went back the same way, step by step.|{they} looked up and down for a long time.]");
        t.Para();
        t.Word('z', friend ? "they" : t['h'].Pronoun);
        if (t.Bad)
        {
            t.Tell("[The sun went down and it got dark.|Soon it was too dark to see.|Then it began to rain hard.] {the o.n} [|still] {o.was} [nowhere to be found|not there].");
            t.Fail('h', "{the o} was never found");
            t.Ev(Vanish, 'h', 'o');
            t.Tell("[{h} never saw {o.it} again.|Maybe somebody else had {o.it} now.]");
            Beats.Sad(t);
            t.Moral("[you should take care of the things you love|it is good to look after your things]");
            t.Sum("{h} goes {B.to} and loses {o.a}. [{h} looks everywhere but never finds {o.it}.|The search does not help, and {h} goes home sad.]");
            return;
        }

        if (t.Do(Twist))
        {
            switch (t.Random.Next(3))
            {
                case 0:
                    t.Some('p', n => n.Word is not ("whale" or "dolphin" or "elephant" or "goldfish" or "seal" or "kangaroo" or "penguin" or "goat" or "pony" or "swan"), NounKind.Animal);
                    t.Tell("Then {z} heard a soft sound. [Near a rock|Behind a tree|Under a bush] lay {p.a}, fast asleep. And on top of {p.it} lay {the o}! {the p} had used {o.it} as a [blanket|pillow|little bed].");
                    t.Tell("{h} laughed. ^{h.he} waited until {the p} woke up, and then took {the o} back [very gently|softly].");
                    break;
                case 1:
                    t.Tell("Then {h} put a hand on {h.his} own back and began to laugh. {the o.n} {o.was} right there, in {h.his} [hood|bag|back pocket]! ^{h} had carried {o.it} the whole time.");
                    break;
                default:
                    t.Tell("Then {h} saw something new. {the o.n} {o.was} hanging from a branch with a note. It said: \"I found {o.this} and kept {o.it} safe for you.\" Somebody kind had been there.");
                    break;
            }
        }
        else
        {
            t.Tell("[At last, {h} saw something in the [tall grass|leaves|sand]. It was {the o}!|Then {z} looked under [an old log|a big leaf|a bench], and there {o.was} {the o}!|Suddenly, {z} saw {the o} [behind a tree|near a stone|in a small hole].]".Replace("It was {the o}", o.Noun.Plural ? "There were {the o}" : "It was {the o}", StringComparison.Ordinal));
        }

        t.Ev(Take, 'h', 'o');
        t.Succeed('h', "{the o} was found");
        if (t.Dialogue && friend)
        {
            t.Say('h', "[Thank you! You are a true friend.|We did it! Thank you so much!|I am so glad. Thank you for your help!]", 'f');
            if (t.Chance(0.5))
                t.Say('f', "[I am happy that you are happy.|You are welcome. Let us play!|That was fun!]", 'h');
        }

        if (!t.Moral(friend ? "[you should take care of the things you love|with help, nothing is too hard|it is good not to give up]" : "[you should take care of the things you love|it is good not to give up]"))
            t.Tell("[{h} held {the o} tight and promised to be more careful.|{h} put {the o} in a safe place.|This time, {h} held {o.it} with both hands.]");
        Beats.Happy(t, friend ? 'f' : '\0');
        t.Sum("{h} loses {o.a} {B.in}. " + (friend ? "[A friend named {f.n} helps|{f.n} helps {h.o} search], and {the o} {o.is} found." : "{h} does not give up and finds {o.it}."));
    }

    private static void BrokenThing(Tale t)
    {
        t.Hero();
        t.Elder('m');
        t.OneOf('o', NounKind.Dish, false, ["cup", "bowl", "plate", "mug", "teapot", "glass", "pitcher", "saucer", "vase", "music box", "statue", "snow globe", "piggy bank", "mirror", "lamp", "clock", "flute", "guitar", "violin", "jar", "chair", "stool", "birdhouse", "picture frame", "flowerpot", "candy jar", "cookie jar", "globe"]);
        Beats.Open(t);
        t.Start('m', 'A');
        t.Lie('o', 'A');
        t.Tell("At home, there {o.was} {o.a} that belonged to {m.n}. [It was very old.|^{m} loved it very much.|It stood on a high shelf.]");
        if (t.Do(Foreshadowing))
            t.Say('m', "[Please do not run in the house. Something could break.|Be careful near the shelf. It is not strong.|No wild games in here, please.]", 'h');
        t.Para();
        t.Activity('w', VerbKind.Play);
        t.Tell("{day}, {h} was bored. ^{h.he} [ran around the room|threw a pillow into the air|jumped from chair to chair|danced on one foot] and did not look. Bump! {the o.n} fell [down|to the floor] and broke into [two|many|three] pieces.");
        t.Ev(Break, 'h', 'o');
        t.Feel('h', "scared");
        t.Want('h', "make up for the broken {o}");
        t.Problem("{h} broke {the o} of {m.n}");
        t.Tell("[{h.s} heart beat fast.|{h} felt hot and cold.|{h} stood very still.] [\"Oh no,\" {h.he} whispered.|What would {m.n} say?|^{h.he} wanted to run away.]");
        t.Para();
        bool hides = t.Bad || t.Chance(0.5);
        if (hides)
        {
            t.Ev(Hide, 'h', 'o');
            t.Tell("{h} [pushed|put|hid] the pieces under [the bed|the rug|the sofa]. But {h.he} did not feel good. [^{h.he} could not eat.|Even a game was no fun now.|^{h.his} tummy hurt.]");
            if (t.Dialogue)
            {
                t.Say('m', "[Have you seen my {o}?|Where is my {o}? It was right here.]", 'h');
                t.Say('h', t.Bad ? "[No, I have not.|Maybe the cat took it.|I do not know.]" : "[I... I do not know.|Maybe it is in the other room.|Me? I have not seen it.]", 'm');
            }
            else
            {
                t.Tell("In the evening, {m} looked for {the o} everywhere.");
            }
        }

        if (t.Bad)
        {
            t.Tell("[The next day|Later], {m} found the pieces. ^{m} was not sad about {the o}. ^{m} was sad because {h.n} had not told the truth.");
            t.Ev(Notice, 'm', 'o');
            t.Feel('m', "sad");
            t.Fail('h', "{m} found the pieces and was sad about the lie");
            t.Tell("[For a long time, {m} did not believe {h.n}.|That day, nobody laughed in the house.|\"I wish you had told me,\" said {m.n}.]");
            Beats.Sad(t);
            t.Moral("[a lie makes everything worse|it is better to tell the truth at once]");
            t.Sum("{h} breaks {the o} of {m.n} and hides the pieces. {m.n} finds out and is sad about the lie.");
            return;
        }

        t.Tell("[In the end,|At last,|After a while,] {h} took a deep breath and [went to {m.n}|told {m.n} the truth|showed {m.n} the pieces].");
        t.Ev(Apologize, 'h', '\0', 'm');
        if (t.Dialogue)
        {
            t.Say('h', "[I broke your {o}. I am so sorry.|I was wild, and your {o} fell down. I am sorry.|I am very sorry. I broke it.]", 'm');
            t.Say('m', "[Thank you for telling me the truth. Are you hurt?|It is only a {o}. You are more important to me.|I am a little sad, but I am proud that you told me.]", 'h');
        }
        else
        {
            t.Tell("{m} was quiet for a moment. Then {m.he} gave {h.n} a hug. [The truth was worth more than {the o}.|It was brave to tell the truth.]");
        }

        t.Ev(Forgive, 'm', '\0', 'h');
        t.Para();
        t.OneOf('p', NounKind.Tool, true, ["glue", "tape"]);
        t.Own('m', 'p');
        t.Ev(Use, 'm', 'p');
        t.Ev(Fix, 'h', 'o');
        t.Tell("Together they took {p} and [put the pieces back together, one by one|fixed {the o}, piece by piece]. [Now {the o} had lines like a map, but it was still pretty.|It did not look new, but they liked it even more.|In the end, it looked almost like before.]");
        t.Succeed('h', "{h} told the truth and they fixed {the o}");
        if (!t.Moral("[it is always best to tell the truth|being honest is brave|we can fix many things when we tell the truth]"))
            t.Tell("[After that, {h} only {w.ed} outside.|After that, {h} was careful in the house.]");
        Beats.Happy(t);
        t.Sum("{h} breaks {the o} of {m.n}. " + (hides ? "First {h} hides the pieces, but then tells" : "{h} tells") + " the truth, and they fix it together.");
    }

    private static void Storm(Tale t)
    {
        t.Hero();
        t.Friend();
        var o = t.OneOf('o', NounKind.Toy, false, ["kite", "hat", "balloon", "paper boat", "umbrella", "scarf", "toy plane", "paper plane", "tent", "pinwheel", "blanket", "cape", "map", "letter", "drawing"]);
        t.SomePlace('B', p => p.Outdoor);
        Beats.Open(t);
        t.Own('h', 'o');
        t.Start('f', 'A');
        t.Tell("{h} had {o.a}, and {h.his} friend {f.n}, {f.dk}, [liked it too|thought it was the best one in town|often played with it too].");
        t.Para();
        t.Tell("{day}, {h.n} and {f.n} went {B.to} with {the o}.");
        t.Go('h', 'f', 'B');
        if (t.Chance(0.4))
            Interludes.Tell(t, 'B', 'f');
        if (t.Do(Foreshadowing))
        {
            t.Tell("[Far away, one small dark cloud sat over the hills.|The birds flew low and were very quiet.|The wind began to whisper in the trees.]");
            t.Say('f', "[Look at that cloud. Maybe we should go home.|I think a storm is coming.]", 'h');
            t.Say('h', "[It is far away. We have time!|Just five more minutes!]", 'f');
        }

        t.Activity('w', VerbKind.Play);
        t.Tell("They {w.ed} and [laughed|had so much fun].");
        t.Weather("storm");
        t.Want('h', "get {the o} back");
        t.Problem("a strong wind took {the o}");
        t.LoseAt('h', 'o', 'B');
        t.Tell("[Then the sky turned dark|Soon the clouds were big and black|All at once the wind grew strong]. The wind [pulled at|blew under] {the o}, and {h} could not hold it. Up, up it went[!| into the air!]");
        t.Para();
        if (t.Bad)
        {
            t.Tell("{h.n} ran after it, but the wind was faster. The rain [fell|came down] hard and made the path muddy. {h} slipped and fell into the mud.");
            t.Ev(Vanish, 'h', 'o');
            t.Tell("When {h} looked up, {the o} was only a tiny dot in the sky. Then it was gone.");
            t.Fail('h', "the wind carried {the o} away for good");
            if (t.Dialogue)
            {
                t.Say('h', "[I should have gone home when the sky got dark.|Come back! Please come back!|Now it is gone forever.]");
                t.Say('f', "[I am so sorry. Let us go home now.|Come, you are all wet. Let us go.]", 'h');
            }

            Beats.Sad(t);
            t.Moral("[it is good to go home when dark clouds come|we should listen to a warning]");
            t.Sum("{h} and {f} play {B.in} with {o.a}. A storm comes, and the wind takes {the o} away forever.");
            return;
        }

        string spot = t.Random.Pick(["in a tall tree", "on a high rock", "on top of a roof", "in a thorny bush"]);
        t.Word('z', spot);
        t.Tell("{h.n} and {f.n} ran after it. At last they saw {the o} {z}. [It was too high to reach.|They could not reach it.]");
        t.OneOf('p', NounKind.Tool, false, ["ladder", "long stick", "rope", "broom", "fishing rod"]);
        t.Lie('p', 'B');
        if (t.Dialogue)
        {
            t.Say('h', "[How can we get it down?|What can we do now?|It is too high!]", 'f');
            t.Say('f', "[I have an idea! There is {an p} over there.|Look, {an p}! We can use that.|Wait. I saw {an p} near the path.]", 'h');
        }
        else
        {
            t.Tell("Then {f} saw {p.a} near the path and had an idea.");
        }

        t.Ev(Take, 'f', 'p');
        t.Ev(Use, 'f', 'p');
        t.Ev(Help, 'f', '\0', 'h');
        t.Tell("{f.n} [got|took] {the p}, and {h.n} held it [very still|with both hands]. Slowly, slowly, {f.n} [reached|pulled at] {the o}, and down it came!");
        t.Ev(Take, 'h', 'o');
        t.Succeed('h', "{f} got {the o} down with {the p}");
        t.Para();
        t.Tell("[They ran home through the rain and got very wet.|The rain began to fall, so they ran home as fast as they could.|Big drops fell from the sky, and they ran home hand in hand.] Inside, it was warm and dry.");
        t.Go('h', 'f', 'A');
        t.Moral("[it is good to have a friend with good ideas|a warning can be a gift|friends can solve a problem together]");
        Beats.Happy(t, 'f');
        t.Sum("A storm blows {the o} of {h} away. {f} uses {p.a} to get it back.");
        _ = o;
    }

    private static void TakenThing(Tale t)
    {
        t.Hero(false, AdjectiveKind.Fault);
        t.Friend();
        t.SomePortable('o', true);
        t.SomePlace('B');
        Beats.Open(t);
        t.Start('f', 'B');
        t.Own('f', 'o');
        t.Para();
        t.Tell("{day}, {h} went {B.to}. There {h.he} saw {f.d}. ^{f.n} had {o.a}[.| and was very proud of {o.it}.]");
        t.Go('h', 'B');
        if (t.Chance(0.4))
            Interludes.Tell(t, 'B');
        t.Want('h', "be happy with {the o} of {f}");
        t.Problem("{the o} belonged to {f}");
        t.Tell("[{h} wanted {o.it} so much.|{h} looked at {the o} and felt jealous.|{h} had never seen such {o.adj} {o.s}.]".Replace("such {o.adj} {o.s}", "anything so nice", StringComparison.Ordinal));
        if (t.Dialogue)
        {
            t.Say('h', "[Give me your {o}!|Can I have your {o}?|I want to have {o.this} {o}!]", 'f');
            t.Say('f', "[No, {o.its} {o.is} mine. But you can look at {o.it}.|I am sorry, but I got {o.it} from my grandpa.|You can play with {o.it} later.]", 'h');
        }

        t.Ev(Steal, 'h', 'o', 'f');
        if (t.Do(Conflict))
        {
            t.Quarrel('h', 'f');
            t.Tell("{h.n} did not listen. ^{h.he} [pulled|grabbed] {the o} out of {f.n}'s hands. {f.n} held on tight, and they both pulled and shouted. But {h} was stronger and ran away with {o.it}.");
        }
        else
        {
            t.Tell("When {f} looked away, {h.n} took {the o} and [ran home|ran away as fast as {h.he} could].");
        }

        t.Go('h', 'A');
        t.Feel('f', "sad");
        t.Feel('h', "guilty");
        t.Para();
        t.Tell("At home, {h} [looked at|sat down with] {the o}. But {h.he} was not happy. [All {h.he} could see was the sad face of {f.n}.|{the o} {o.was} no fun at all.|It felt wrong.]");
        if (t.Bad)
        {
            t.Go('f', 'A');
            t.Tell("[Still, {h} kept {o.it}.|But {h} did not want to say sorry.] The next day, {f.n} told everybody what had happened. [Nobody wanted to play with {h.n} any more.|When {h.n} came out to {v}, all the others walked away.]");
            t.Fail('h', "{h} kept {the o} and lost all friends");
            if (t.Dialogue)
                t.Say('f', "I do not play with you. You took my {o}.", 'h');
            Beats.Sad(t);
            t.Moral("[taking things from others leaves you alone|a stolen thing brings no joy]");
            t.Sum("{h} takes {the o} from {f} and keeps {o.it}. In the end nobody wants to play with {h}.");
            return;
        }

        t.Tell("So {h} [ran|walked] back {B.to}. {f.n} was still there, crying[| softly].");
        t.Go('h', 'B');
        t.Ev(Give, 'h', 'o', 'f');
        t.Ev(Apologize, 'h', '\0', 'f');
        if (t.Dialogue)
        {
            t.Say('h', "[I am sorry. Here {o.is} your {o}.|It was wrong to take your {o}. Can you forgive me?|Please take {o.it} back. I was mean.]", 'f');
            t.Say('f', "[I was very sad. But thank you for coming back.|Thank you. Do you want to play with me?|I forgive you. We can play together.]", 'h');
        }
        else
        {
            t.Tell("{h} gave {the o} back and said sorry. {f.n} [wiped away the tears|smiled a little] and forgave {h.o}.");
        }

        t.Ev(Forgive, 'f', '\0', 'h');
        t.Succeed('h', "{h} gave {the o} back and they shared it");
        t.Para();
        t.Tell("Then they [played|had fun] with {the o} together. [It was much more fun with two.|They took turns, and nobody was sad.]");
        t.Moral("[it is wrong to take what belongs to others|sharing is better than taking|saying sorry can make things right]");
        Beats.Happy(t, 'f');
        t.Sum("{h} takes {the o} from {f}, but feels bad. {h} gives {o.it} back, says sorry, and they become friends.");
    }

    private static void MessyRoom(Tale t)
    {
        t.Hero(true, AdjectiveKind.Fault);
        t.Elder('m');
        t.SomePortable('o', true);
        Beats.Open(t);
        t.Start('m', 'A');
        t.Lie('o', 'A');
        t.Some('p', NounKind.Clothes);
        t.Some('q', NounKind.Toy, NounKind.Paper);
        t.Tell("But {h.s} room was always a mess. There {p.was} {p.a} on the lamp and {q.a} under the bed.");
        t.Lie('p', 'A');
        t.Lie('q', 'A');
        t.Para();
        t.Want('h', "find {the o}");
        t.Problem("the room of {h} was too messy to find anything");
        t.Tell("{day}, {h} wanted to play with {o.a}, but {h.he} could not find {o.it}. ^{h.he} looked [in every corner|here and there], and the mess grew even bigger.");
        t.Feel('h', "upset");
        if (t.Dialogue)
        {
            t.Say('h', "[{m.v}, my {o} {o.is} gone!|Somebody took my {o}!]", 'm');
            t.Say('m', "[Nobody took {o.it}. I think your room ate {o.it}.|How can you find anything in here? Let us clean up first.]", 'h');
            t.Say('h', "[But that is so much work!|All right. But it will take all day.]", 'm');
        }
        else
        {
            t.Tell("{h} thought that somebody had taken {o.it}. But {m.n} looked at the room and only shook {m.his} head.");
        }

        t.Para();
        t.Tell("So {h.n} began to clean. ^{h.he} put {the p} in the closet and {the q} on the shelf. [^{m} helped with the big things.|^{m} brought a box for the rest.]");
        t.Ev(Take, 'h', 'p');
        t.Ev(Take, 'h', 'q');
        t.Ev(Help, 'm', '\0', 'h');
        t.Activity('w', VerbKind.Chore);
        if (t.Do(Twist))
        {
            t.Tell("Soon the room was clean, but {the o} {o.was} still not there. Then {m.n} [opened|looked into] {m.his} own bag and turned red. \"Oh! I put {o.it} in here to keep {o.it} safe,\" {m.he} said. \"I am sorry!\" They both laughed out loud.");
            t.Ev(Take, 'm', 'o');
            t.Ev(Give, 'm', 'o', 'h');
        }
        else
        {
            t.Tell("[Under the last pile of clothes|Behind the bed|At the bottom of the toy box], there {o.was} {the o}! \"I found {o.it}!\" {h} shouted.");
            t.Ev(Take, 'h', 'o');
        }

        t.Succeed('h', "{the o} turned up when the room was clean");
        t.Tell("[Now the room looked big and bright.|How nice the room looked now!|Now there was a lot of space to play.]");
        t.Moral("[everything needs its own place|a little work every day is better than a big mess|it is good to keep your room clean]");
        Beats.Happy(t);
        t.Sum("{h} cannot find {the o} because the room is a mess. {m} helps to clean, and {the o} turns up.");
    }

    private static void FixIt(Tale t)
    {
        t.Hero();
        t.GrownUp('m', "carpenter", "toymaker", "tailor", "watchmaker", "painter", "shopkeeper");
        t.Some('o', NounKind.Toy, NounKind.Toy, NounKind.Instrument);
        t.SomePlace('B', p => p.Word is "the market" or "the village" or "the farm" or "the barn" or "the old mill" or "the harbor" or "the town square" or "the castle");
        Beats.Open(t);
        t.Own('h', 'o');
        t.Start('m', 'B');
        t.Tell("{h} had {o.a} that {h.he} loved.");
        t.Para();
        t.Tell("{day}, there was a loud crack. {the o.n} broke! [It had been old.|It had fallen down.|A small part had come off.]");
        t.Ev(Break, 'h', 'o');
        t.Feel('h', "sad");
        t.Want('h', "fix {the o}");
        t.Problem("{the o} broke");
        t.Tell("{h} [pushed|turned] it this way and that way, but it did not work. \"I cannot do this alone,\" {h.he} said.");
        t.Para();
        t.Tell("So {h} took it {B.to}, where {m.n} worked. ^{m.n} was {m.dk} who could fix almost anything.");
        t.Go('h', 'B');
        t.OneOf('p', NounKind.Tool, false, ["hammer", "screwdriver", "needle", "wrench", "saw", "drill"]);
        t.Own('m', 'p');
        if (t.Dialogue)
        {
            t.Say('h', "[Can you help me, please? My {o} broke.|Do you think you can fix this?]", 'm');
            t.Say('m', t.Bad ? "[Let me see. Oh dear, this is a hard one.|I can try, but I cannot promise anything.]" : "[Let me see. Yes, but you must help me.|I think so. Hold it here, and do not let go.]", 'h');
        }
        else
        {
            t.Tell("{h} showed {m.o} the broken part and asked for help.");
        }

        t.Ev(Use, 'm', 'p');
        t.Ev(Help, 'm', '\0', 'h');
        if (t.Bad)
        {
            t.Tell("{m.n} took {p.a} and worked for a long time. But one part was lost, and without it nothing would turn or hold. At last, {m.n} put {the p} down. It could not be fixed.");
            t.Fail('h', "{the o} could not be fixed");
            Beats.Sad(t);
            t.Moral("[not everything can be fixed, so we should be gentle with our things|some things end, and it is all right to be sad]");
            t.Sum("{the o.n} of {h} breaks. {m} tries to fix it, but a part is missing and it stays broken.");
            return;
        }

        t.Tell("{m.n} took {p.a} and showed {h.n} what to do. [Tap, tap, tap!|Little by little, it worked.] {h} held the parts and did not let go. Soon {the o} was as good as new.");
        t.Ev(Fix, 'm', 'o');
        t.Succeed('h', "{m} and {h} fixed {the o}");
        t.Para();
        t.Ev(Learn, 'h', '\0', '\0', "to fix things");
        t.Tell("{h} thanked {m.n} and [ran|went] home. [The next time something broke, {h.he} knew what to do.|Now {h.he} knew how to use {p.an}.]");
        t.Moral("[it is good to ask for help|broken things can often be fixed|work is easier with help]");
        Beats.Happy(t);
        t.Sum("{the o.n} of {h} breaks. {m}, {m.dk}, helps {h.o} to fix it.");
    }
}
