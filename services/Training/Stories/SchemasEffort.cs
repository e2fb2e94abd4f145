using static Slm.Training.Stories.EventKind;
using static Slm.Training.Stories.StoryFeature;

namespace Slm.Training.Stories;

/// <summary>Plots about learning, making, growing, competing and rescuing.</summary>
internal static class SchemasEffort
{
    public static readonly StorySchema[] All =
    [
        new("learn-skill", LearnSkill, new HashSet<StoryFeature> { MoralValue, BadEnding, Twist }),
        new("rescue", Rescue, new HashSet<StoryFeature> { MoralValue, Twist, BadEnding }),
        new("bake", Bake, new HashSet<StoryFeature> { Twist, BadEnding, Foreshadowing }),
        new("grow-plant", GrowPlant, new HashSet<StoryFeature> { MoralValue, BadEnding, Twist }),
        new("contest", Contest, new HashSet<StoryFeature> { MoralValue, Twist, BadEnding, Conflict }),
        new("build", Build, new HashSet<StoryFeature> { Foreshadowing, BadEnding, MoralValue, Conflict }),
    ];

    private static void LearnSkill(Tale t)
    {
        t.Hero();
        var s = t.Activity('s', VerbKind.Skill);
        bool water = s.Verb is "swim" or "dive" or "float" or "surf" or "sail" or "row" or "fish";
        bool inside = s.Verb is "read" or "write" or "cook" or "sew" or "knit" or "bake" or "play" or "spell" or "weave" or "paint" or "draw";
        if (t.Chance(0.5))
            t.Elder('m');
        else
            t.Friend('m');
        t.SomePlace('B', p => water ? p.Word is "the lake" or "the river" or "the pond" or "the beach" : inside ? p.Word is "the library" or "the school" or "the barn" or "the treehouse" or "the garden" or "the big oak tree" or "the old mill" : p.Outdoor);
        Beats.Open(t);
        t.Start('m', 'B');
        if (t.Chance(0.6))
            Interludes.Tell(t, 'A');
        else
            Interludes.Keepsake(t);
        t.Tell("But there was one thing {h} could not do. ^{h.he} could not {s}.");
        t.Want('h', "learn to {s}");
        t.Para();
        t.Tell("{day}, {h} went {B.to} to try. ^{h.he} tried once. ^{h.he} tried twice. [It did not work.|It was much too hard.|Each time, something went wrong.]");
        t.Go('h', 'B');
        if (t.Chance(0.3))
            Interludes.Tell(t, 'B');
        t.Problem("it was hard to {s}");
        t.Tell("[Some others laughed|Everybody else could do it], and {h} felt {7}.".Replace("{7}", t.Random.Pick(["sad", "angry", "ashamed", "embarrassed", "upset"])));
        t.Feel('h', "sad");
        string m = t['m'].Adult ? "{m.n}" : "{h.his} friend {m.n}, {m.dk},";
        t.Tell($"[Then {m} came and sat down next to {{h.o}}.|{m} saw it and came over.]");
        if (t.Dialogue)
        {
            t.Say('h', "[I will never learn it.|I cannot {s}. I am no good.|It is too hard for me.]", 'm', "said");
            t.Say('m', "[It took me a long time too. Try a little every day.|Nobody can do it the first time. Let me show you.|You can do it. Start slow, and do not be afraid.]", 'h');
        }
        else
        {
            t.Tell("{m.n} showed {h.o} how to do it, slowly and step by step.");
        }

        t.Ev(Help, 'm', '\0', 'h');
        t.Para();
        if (t.Bad)
        {
            t.Tell("{h} tried one more time and failed. Then {h.he} [threw up {h.his} hands|shook {h.his} head] and walked away. \"I give up,\" {h.he} said. {m.n} called after {h.o}, but {h} did not turn around.");
            t.Go('h', 'A');
            t.Fail('h', "{h} gave up");
            t.Tell("[Later, {h} watched the others from the window. They could all {s}.|The others went on and soon could {s}. {h} could only watch.]");
            Beats.Sad(t);
            t.Moral("[you cannot learn something if you give up|if you stop trying, you will never know how far you can go]");
            t.Sum("{h} wants to learn to {s}, but it is hard. {m} tries to help, but {h} gives up.");
            return;
        }

        t.Tell("[The next day, {h} tried again. And the day after that, too.|So {h} tried again and again, every single day.|{h} went back each morning and tried again.] [^{h.he} fell down, but {h.he} always got up.|Sometimes it went well, and sometimes it did not.|Little by little, it got better.]");
        t.Ev(Learn, 'h', '\0', '\0', s.Base);
        if (t.Do(Twist))
        {
            t.Tell("Then, one morning, {h} saw {m.n} looking sad. \"I have a secret,\" {m.n} said. \"I could never {s} either. I only wanted you to believe in yourself.\" {h} laughed out loud. Now {h} could do it, and {h.he} taught {m.n} how to do it, too!");
            t.Ev(Help, 'h', '\0', 'm');
        }
        else
        {
            t.Tell("Then, one day, it happened. {h} could {s}! [^{h.he} did it once more, just to be sure.|^{h.he} could not believe it.] [\"Look! I can do it!\" {h.he} shouted.|Everybody clapped.]");
        }

        t.Succeed('h', "{h} did not give up and learned to {s}");
        t.Para();
        t.Moral("[you can learn hard things if you try every day|you should never give up too soon|everybody needs time to learn]");
        Beats.Happy(t, 'm');
        t.Sum("{h} wants to learn to {s}. It is hard, but with the help of {m} and a lot of practice {h.n} learns it.");
        _ = s;
    }

    private static void Rescue(Tale t)
    {
        t.Hero(t.Chance(0.6));
        t.Needy = true;
        t.Some('n', n => n.Word is not ("whale" or "dolphin" or "elephant" or "goldfish" or "seal" or "swan" or "penguin" or "kangaroo" or "calf" or "pony" or "foal" or "crab"), NounKind.Animal);
        t.Needy = false;
        t.SomePlace('B', p => p.Outdoor);
        t.OneOf('o', NounKind.Tool, false, ["rope", "ladder", "long stick", "net", "basket", "blanket", "shovel", "bucket", "scarf"]);
        Beats.Open(t);
        t.Para();
        t.Tell("{day}, {h} walked {B.to}. [Suddenly, {h.he} heard a soft cry.|Then {h.he} heard a small, sad sound.|\"What is that?\" {h.he} thought. Something was crying.]");
        t.Go('h', 'B');
        if (t.Chance(0.4))
            t.Tell("[It came again and again.|{h} stood still and listened.|{h} followed the sound.]");
        string trap = t.Random.Pick(["in a deep hole", "in a thorny bush", "under a heavy branch", "between two big rocks", "in the deep mud", "behind an old fence"]);
        t.Word('z', trap);
        t.Tell("There was {n.a}, stuck {z}! [It looked so scared.|It could not get out.|Its eyes were full of fear.]");
        t.Lie('n', 'B');
        t.Want('h', "save {the n}");
        t.Problem("{the n} was stuck {z}");
        bool helper = t.Chance(0.6);
        t.Para();
        if (helper)
        {
            t.GrownUp('m');
            t.Start('m', 'B');
            t.Own('m', 'o');
            t.Tell("{h} tried to help, but {h.he} was not strong enough. So {h.he} ran to get {m.n}, {m.dk}.");
            if (t.Dialogue)
            {
                t.Say('h', "[Please come! {a n} is stuck {z}!|Please help! The poor {n} cannot get out!]", 'm');
                t.Say('m', "[I am coming. I will bring {an o}.|Let us hurry! We can use {an o}.]", 'h');
            }

            t.Ev(Use, 'm', 'o');
            t.Ev(Help, 'm', '\0', 'h');
            t.Tell("{m.n} brought {o.a}. Together they used it to [reach|free] {the n}.");
        }
        else
        {
            t.Own('h', 'o');
            t.Tell("{h} [thought hard|looked around]. Then {h.he} ran home and came back with {o.a}. \"Do not be afraid,\" {h.he} said softly. Slowly and carefully, {h} used {the o} to [reach|free] {the n}.");
            t.Go('h', 'A');
            t.Go('h', 'B');
            t.Ev(Use, 'h', 'o');
        }

        if (t.Bad)
        {
            t.Tell("But {the n} was so scared that it [jumped up and ran|pulled away and ran] into the dark woods. It was hurt and alone. {h} called and called, but it did not come back.");
            t.Ev(Vanish, 'h', 'n');
            t.Fail('h', "{the n} ran away before it could be helped");
            Beats.Sad(t);
            t.Moral("[sometimes help comes too late, but it is still right to try|even kind help does not always work]");
            t.Sum("{h} finds {n.a} that is stuck {z}. {h} tries to help, but it runs away into the woods.");
            return;
        }

        t.Tell("[It worked!|One, two, three!] {the n.n} was free. [It shook itself and looked at {h.n} with thankful eyes.|It came close and was not afraid any more.]");
        t.Para();
        if (t.Do(Twist))
        {
            t.Some('p', NounKind.Treasure);
            t.Lie('p', 'B');
            t.Tell("But then {the n} [pulled at {h.n}'s sleeve|turned around and looked back]. It wanted {h.n} to follow! It led {h.o} to an old tree. There, between the roots, {p.was} {p.a}. It was a gift from a small friend.");
            t.Ev(Take, 'h', 'p');
        }
        else
        {
            t.Tell("[{h} gave it some water and a little food.|{h} [sat|stayed] with it until it was strong enough to go home.|Then its mother came, and they went off together.]");
        }

        t.Succeed('h', "{the n} was set free with {the o}");
        t.Moral("[even small helpers can do big things|we should help those who are in trouble|it is good to be kind to animals]");
        Beats.Happy(t);
        t.Sum("{h} finds {n.a} stuck {z}. " + (helper ? "With the help of {m.n}, {h.n}" : "{h}") + " uses {o.a} to set it free.");
    }

    private static void Bake(Tale t)
    {
        t.Hero();
        t.Elder('m');
        t.OneOf('o', NounKind.Food, false, ["cake", "pie", "pizza", "bread", "soup", "pudding", "chocolate cake", "apple pie", "carrot cake", "stew"]);
        string missing = t.Random.Pick<string>(t.Thing('o').Noun.Word switch
        {
            "soup" or "stew" => ["salt", "butter", "cream", "pepper"],
            "bread" or "pizza" => ["flour", "salt", "oil", "butter"],
            _ => ["sugar", "milk", "flour", "butter", "honey", "cream"],
        });
        t.Some('p', new Noun(missing, NounKind.Food, false, true));
        Beats.Open(t, VerbKind.Calm, VerbKind.Chore);
        t.Start('m', 'A');
        t.Para();
        t.Tell("{day}, {h} and {m.n} wanted to make {o.a} [for a friend|for dinner|for a party|just for fun].");
        t.Want('h', "make {o.a}");
        t.Tell("[They put on aprons and washed their hands.|They put a big bowl on the table.|{m} read the recipe, and {h} got the spoons.] But when they looked for {p}, there was none left.");
        t.Problem("there was no {p} in the kitchen");
        t.GrownUp('x', "neighbor", "farmer", "baker");
        t.Put('C', new Place(t['x'].Name + "'s house", "at " + t['x'].Name + "'s house", "to " + t['x'].Name + "'s house", false, true));
        t.Start('x', 'C');
        t.Own('x', 'p');
        if (t.Dialogue)
        {
            t.Say('m', "[Oh dear, we have no {p}. What now?|We cannot make it without {p}.]", 'h', "said");
            t.Say('h', "[I can ask {x.n}!|Let me ask {x.n} next door!]", 'm');
        }
        else
        {
            t.Tell("{h} offered to ask {x.n} next door.");
        }

        t.Go('h', 'C');
        t.Tell("So {h.n} ran to the house of {x.n}. {x.n} smiled and gave {h.o} [a small bag|a cup|a jar] full of {p}.");
        t.Ev(Give, 'x', 'p', 'h');
        t.Go('h', 'A');
        t.Para();
        t.Tell("Back home, they [mixed and stirred|worked side by side|mixed, stirred and tasted|measured and mixed] [for a long time|with great care|and hummed a song|with big spoons]. Soon the whole house smelled good.");
        t.Ev(Use, 'h', 'p');
        t.Ev(Make, 'h', 'o');
        if (t.Do(Foreshadowing))
            t.Tell("[The dog sat at the door and looked at the table with hungry eyes.|The hungry dog from next door put its nose on the window.]");
        bool twist = t.Wanted.Contains(Twist);
        if (t.Bad || twist || t.Done.Contains(Foreshadowing))
        {
            t.Tell("They put {the o} near the open window to cool. Then they went out to {8}. When they came back, the plate was empty! A dog sat under the table, with [crumbs|a little bit] on its nose.".Replace("{8}", t.Random.Pick(["get the plates", "rest in the garden", "pick some flowers", "call the others"])));
            t.Ev(Vanish, 'h', 'o');
            if (t.Bad)
            {
                t.Fail('h', "a hungry dog ate {the o}");
                t.Tell("There was no time and no {p} to make another one. [Everybody went to bed hungry.|There was only dry bread that evening.]");
                Beats.Sad(t);
                t.Sum("{h} and {m} make {o.a} and borrow {p} from {x.n}. But a hungry dog eats all of it.");
                return;
            }

            t.Do(Twist);
            t.Done.Add(Twist);
            t.Para();
            t.Tell("{h} wanted to cry. But then there was a knock at the door. It was {x.n}, with a big basket. \"I made too much food today,\" {x.n} said. \"Would you like to eat with me?\" [They all began to laugh.|What a lucky surprise!]");
            t.Go('x', 'A');
            t.Succeed('h', "{x} brought food when the dog had eaten {the o}");
            t.Tell("So they had a good meal after all, and even the dog got a bone.");
            Beats.Happy(t, 'm');
            t.Sum("{h} and {m} make {o.a}, but a dog eats it. Then {x.n}, who had helped with {p}, brings food for everybody.");
            return;
        }

        t.Ev(Eat, 'm', 'o');
        t.Succeed('h', "{x} helped out with {p}, and they made {the o}");
        t.Tell("When {the o} was ready, they [called|invited] {x.n} and ate it together. [It was so good!|Nobody left a bite on the plate.]");
        if (t.Dialogue)
            t.Say('m', "[You did a great job!|This is the best {o} we have ever made.]", 'h');
        Beats.Happy(t, 'm');
        t.Sum("{h} and {m} want to make {o.a}, but there is no {p}. {x.n} helps, and they eat together.");
    }

    private static void GrowPlant(Tale t)
    {
        t.Hero(false, t.Chance(0.5) ? AdjectiveKind.Trait : AdjectiveKind.Fault);
        t.Elder('m');
        string plant = t.Random.Pick(["sunflower", "tomato plant", "rose", "apple tree", "bean plant", "pumpkin", "tulip", "strawberry plant", "carrot", "daisy", "cherry tree", "lemon tree"]);
        t.Some('o', new Noun(plant, NounKind.Plant, false, false));
        t.Word('z', plant);
        Beats.Open(t);
        t.Start('m', 'A');
        t.Some('p', new Noun("seed", NounKind.Nature, false, false));
        t.Own('m', 'p');
        t.Para();
        t.Tell("{day}, {m.n} gave {h.n} {p.a}. [\"If you take care of it, it will become something wonderful,\" {m.he} said.|\"This is a gift that needs time,\" {m.he} said.]");
        t.Ev(Give, 'm', 'p', 'h');
        t.Want('h', "grow {a o}".Replace("{a o}", Inflection.Article(plant) + " " + plant));
        t.Tell("{h} dug a small hole in the [garden|soft ground], put the seed in and gave it water.");
        t.Ev(Vanish, 'h', 'p');
        t.Tell("[The next morning, {h} ran out to look. There was nothing but brown earth.|{h} sat down and waited. Nothing happened.]");
        t.Problem("it took so long to grow");
        if (t.Dialogue)
        {
            t.Say('h', "[Why does it not grow?|It is not working. Where is my plant?]", 'm');
            t.Say('m', "[Be patient. Give it water every day.|A plant needs sun, water and time.]", 'h');
        }
        else
        {
            t.Tell("{m} told {h.o} to be patient and to give it water every day.");
        }

        t.Para();
        if (t.Bad)
        {
            t.Activity('w', VerbKind.Play);
            t.Tell("For two days, {h} gave it water. A tiny green leaf came out! But then {h} wanted to {w} with friends, and {h.he} forgot. The sun was hot. Day after day, nobody gave the little plant any water.");
            t.Tell("When {h} came back, the leaf was brown and dry. {h} [gave it a whole bucket of water|tried to help], but it was too late.");
            t.Fail('h', "the plant dried up because {h} forgot to water it");
            Beats.Sad(t);
            t.Moral("[living things need care every day|a promise to care is a promise for every day]");
            t.Sum("{h} gets a seed from {m} and plants it. But {h.n} forgets to water it, and the plant dies.");
            return;
        }

        t.Tell("So every [day|morning], {h} gave it water. [When it was windy, {h.he} put stones around it.|{h} pulled out the weeds and sang to it.] One week went by, and then another. Then, one morning, there was a tiny green leaf!");
        t.Ev(Act, 'h', '\0', '\0', "water the plant every day");
        t.Ev(Make, 'h', 'o');
        if (t.Do(Twist))
            t.Tell("It grew and grew. But what was that? It was not a small flower, as {h} had thought. It was {8}, and it grew taller than the house!".Replace("{8}", Inflection.Article(plant) + " " + plant));
        else
            t.Tell("It grew [bigger|taller] every day, and at last it was {o.a}.");
        t.Succeed('h', "{h} was patient and watered it every day");
        t.Para();
        if (t.Dialogue)
            t.Say('m', "[You did it! You were very patient.|Look what you have done! I am proud of you.]", 'h');
        if (!t.Moral("[good things take time|if you are patient, good things can grow|a little care every day can do a lot]"))
            t.Tell("[{h} showed it to everybody who came by.|Even the birds came to look at it.]");
        Beats.Happy(t);
        t.Sum("{h} gets a seed from {m}. {h.n} is patient and waters it every day, and it grows into " + Inflection.Article(plant) + " " + plant + ".");
    }

    private static void Contest(Tale t)
    {
        t.Hero();
        t.Friend('f');
        var (name, doing) = t.Random.Pick<(string, string)>([("a big race", "run"), ("a boat race", "sail"), ("a jumping contest", "jump"), ("a singing contest", "sing"), ("a sack race", "hop"), ("a kite contest", "fly kites"), ("a swimming race", "swim"), ("a dancing contest", "dance"), ("a snow race", "run"), ("a climbing race", "climb")]);
        bool race = name.Contains("race", StringComparison.Ordinal);
        t.Word('z', name);
        t.Word('y', doing);
        t.OneOf('o', NounKind.Treasure, false, ["medal", "cup", "trophy", "ribbon", "crown", "basket of apples", "bag of candy", "golden star", "big cake", "blue cup", "gold medal"]);
        string where = doing switch
        {
            "sail" or "swim" => "the lake the river the pond the beach",
            _ when name is "a snow race" or "a climbing race" => "the hill the valley",
            _ => "the park the meadow the field the village the fair the town square the farm the playground the hill the garden",
        };
        t.SomePlace('B', p => where.Contains(p.Word, StringComparison.Ordinal));
        Beats.Open(t);
        t.Start('f', 'B');
        t.Lie('o', 'B');
        t.Para();
        t.Tell("{day}, there was {z} {B.in}. The winner would get {o.a}. {h} wanted to win more than anything. ^{h.he} had practiced all week.");
        t.Go('h', 'B');
        t.Want('h', "win {z}");
        if (t.Chance(0.4))
            Interludes.Tell(t, 'B');
        t.Tell("Next to {h.n} stood {f.d}. ^{f} wanted to win, too.");
        t.Problem("{f} was just as good");
        if (t.Do(Conflict))
        {
            t.Quarrel('h', 'f');
            t.Say('f', "[I am much better than you!|You will never win!]", 'h');
            t.Say('h', "[We will see! I am the best!|No, you will lose!]", 'f');
            t.Tell("They looked at each other with angry eyes.");
        }
        else if (t.Dialogue)
        {
            t.Say('f', "[Good luck!|Are you nervous, too?]", 'h');
            t.Say('h', "[Good luck to you, too!|My heart beats so fast. Good luck!]", 'f');
        }

        t.Para();
        t.Tell(race ? "[Ready, set, go!|One, two, three, go!] Off they went. [{h} was fast, but {f.n} was fast, too.|At first {f.n} was in front, and then {h.n} was.]" : "One after the other, they showed what they could do. [Everybody clapped for {f.n}.|{f.n} did very well.] Then it was {h.n}'s turn.");
        if (t.Bad)
        {
            t.Tell(race ? "{h} looked back to laugh at the others. So {h.he} did not see the stone. Bump! {h} fell down and hurt {h.his} leg. One after the other, all the others came past." : "{h} was so sure of winning that {h.he} waved at everybody and did not pay attention. Right in the middle, {h.he} forgot what to do. It was very quiet, and {h.his} face turned red.");
            t.Ev(Take, 'f', 'o');
            t.Fail('h', "{h} was too proud, and {f} won");
            t.Tell("{f.n} won {the o}. {h} got nothing at all.");
            Beats.Sad(t);
            t.Moral("[being too proud can make you fall|you should not laugh at others]");
            t.Sum("{h} wants to win {z}, but is too proud and makes a mistake. {f} wins.");
            return;
        }

        if (t.Do(Twist) || (race && t.Chance(0.4)))
        {
            t.Done.Add(Twist);
            t.Tell(race ? "Then, close to the end, {f.n} fell down and cried. {h} could see the winner's line. But {h.he} stopped, turned back and helped {f.n} up. Together they came in last." : "But when {h} looked at {f.n}, {h.he} saw tears in {f.his} eyes. {f.s} shoes were old and broken. So {h.n} did not go alone. ^{h.he} took {f.n} by the hand, and they did it together.");
            t.Ev(Help, 'h', '\0', 'f');
            t.Tell("[{h} thought that {the o} was lost.|Nobody said a word.] Then everybody began to clap. The judge came and gave {the o} to both of them for being so kind!");
            t.Ev(Take, 'h', 'o');
            t.Succeed('h', "{h} helped {f} and both got {the o}");
            t.Moral("[being kind is better than being first|helping a friend is the best way to win]");
            Beats.Happy(t, 'f');
            t.Sum("{h} wants to win {z}. Instead of going for the win, {h.he} helps {f}, and both get {the o}.");
            return;
        }

        bool won = t.Chance(0.5);
        if (won)
        {
            t.Tell("{h} thought of all the practice and did {h.his} very best. And {h.he} won! [Everybody cheered.|{f.n} was the first to clap.]");
            t.Ev(Take, 'h', 'o');
            t.Succeed('h', "{h} had practiced and won");
            if (t.Done.Contains(Conflict))
            {
                t.Ev(Apologize, 'f', '\0', 'h');
                t.Tell("{f.n} came over and said sorry for the mean words. {h} said sorry, too, and they shook hands.");
                t.Ev(Forgive, 'h', '\0', 'f');
            }
        }
        else
        {
            t.Tell("In the end, {f.n} won by a tiny bit. {h} was sad for a moment. Then {h.he} walked over and shook {f.n}'s hand. [\"You were great,\" {h.he} said.|\"Next time I will try even harder,\" {h.he} said.]");
            t.Ev(Take, 'f', 'o');
            t.Ev(Forgive, 'h', '\0', 'f');
            t.Tell("{f.n} smiled and said, \"You were great, too. Let us share {the o}!\"");
            t.Ev(Give, 'f', 'o', 'h');
            t.Succeed('h', "{f} won and shared {the o}");
        }

        t.Para();
        t.Moral(won ? "[practice makes you better|hard work is worth it]" : "[it is fine to lose if you did your best|a good friend is better than a prize]");
        Beats.Happy(t, 'f');
        t.Sum(won ? "{h} practices hard and wins {z}, and {o.a} is the prize." : "{h} wants to win {z}, but {f} is a tiny bit better. They shake hands and share {the o}.");
    }

    private static void Build(Tale t)
    {
        t.Hero();
        t.Friend();
        string thing = t.Random.Pick(["treehouse", "sandcastle", "tower", "fort", "little hut", "bridge", "raft", "snowman", "tent", "doghouse", "birdhouse", "swing", "playhouse", "boat"]);
        t.Some('o', new Noun(thing, NounKind.Building, false, false));
        string from = thing switch { "sandcastle" => "sand and shells", "snowman" => "snow and a carrot", "tower" => "stones and blocks", "tent" => "sticks and an old blanket", _ => t.Random.Pick(["wood and nails", "boards and rope", "old boxes and string", "sticks and rope"]) };
        t.Word('z', from);
        string site = thing switch
        {
            "bridge" or "raft" or "boat" => "the stream the river the lake the pond",
            "sandcastle" => "the beach the lake the river",
            "treehouse" or "swing" or "birdhouse" => "the big oak tree the garden the yard the woods the forest the orchard",
            _ => "the garden the yard the field the meadow the farm the park the hill the forest",
        };
        t.SomePlace('B', p => site.Contains(p.Word, StringComparison.Ordinal));
        Beats.Open(t);
        Beats.Meet(t, 'A');
        t.Para();
        t.Tell("{day}, they wanted to build {o.a} {B.in}. So they [looked for|brought] {z}.".Replace("{day}", thing == "snowman" ? "One snowy morning" : "{day}"));
        t.Go('h', 'f', 'B');
        t.Want('h', "build {a o}".Replace("{a o}", Inflection.Article(thing) + " " + thing));
        if (t.Do(Foreshadowing))
            t.Tell("{f.n} looked at the ground and said it was too soft, but {h.n} did not listen. [\"It will be fine,\" {h.n} said.|\"Do not worry,\" {h.n} said.]");
        if (t.Do(Conflict))
        {
            t.Quarrel('h', 'f');
            t.Say('h', "[It must be very tall!|I am the boss, and you must do what I say.]", 'f');
            t.Say('f', "[No, it must be wide! You are wrong.|You are not my boss! I want to do it my way.]", 'h');
            t.Tell("So each of them worked alone and did not talk.");
        }
        else
        {
            t.Tell("They worked hard all [morning|day]. {h.n} did the heavy things, and {f.n} did the small things.");
        }

        t.Ev(Make, 'h', 'o');
        t.Problem("{the o} fell down");
        t.Tell("[But suddenly|But just when it was almost done,] there was a loud noise. Crash! It all fell down.".Replace("suddenly there", "suddenly there"));
        t.Ev(Break, 'h', 'o');
        t.Feel('h', "sad");
        t.Para();
        if (t.Bad)
        {
            t.Tell("[A big piece hit the ground and broke.|All the work was for nothing.] {h} got so angry that {h.he} kicked the last parts away. {f.n} went home without a word. The next day, it rained, and everything was washed away.");
            t.Fail('h', "{the o} fell down and nobody built it again");
            Beats.Sad(t);
            t.Moral("[anger does not help to build anything|it is better to work together and to listen]");
            t.Sum("{h} and {f} build {o.a}, but it falls down. {h} gets angry, and they never finish it.");
            return;
        }

        if (t.Done.Contains(Conflict))
        {
            t.Ev(Apologize, 'h', '\0', 'f');
            t.Say('h', "[I am sorry. I should have listened to you.|We should work together. I am sorry.]", 'f');
            t.Say('f', "[I am sorry, too. Let us do it together.|Yes, together we are better.]", 'h');
            t.Ev(Forgive, 'f', '\0', 'h');
        }
        else if (t.Dialogue)
        {
            t.Say('h', "[Oh no! All our work!|It is all broken. What now?]", 'f');
            t.Say('f', "[Let us try again. We need a strong bottom first.|Do not be sad. Now we know how to do it better.]", 'h');
        }
        else
        {
            t.Tell("They looked at each other, and then they began to laugh. They would just try again!");
        }

        t.Ev(Help, 'f', '\0', 'h');
        t.Ev(Fix, 'h', 'o');
        t.Tell("This time, they [put big stones at the bottom|made the bottom wide and strong|took more time and checked every part]. [It was slow work.|It took until evening.] But when they were done, {the o} stood still and did not fall.");
        t.Succeed('h', "they built {the o} again, stronger than before");
        t.Para();
        t.Moral("[you can always start again|together we can do more than alone|a good start makes things strong]");
        Beats.Happy(t, 'f');
        t.Sum("{h} and {f} build {o.a}, but it falls down. They try again together, and this time it stands.");
    }
}
