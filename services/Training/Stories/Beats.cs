namespace Slm.Training.Stories;

/// <summary>Beats that many plots share: openings, hobbies, small incidents on the way, endings.</summary>
internal static class Beats
{
    /// <summary>Introduces the hero, who starts at home (A) with an activity {v}.</summary>
    public static void Open(Tale t, params VerbKind[] kinds)
    {
        t.Put('A', Cast.Home);
        t.Start('h', 'A');
        t.Activity('v', kinds.Length == 0 ? [VerbKind.Play, VerbKind.Play, VerbKind.Calm] : kinds);
        t.Tell("[Once upon a time, there was {h.d}.|Once there was {h.d}.|There once was {h.d}.|Once upon a time, in a [small|quiet|little|faraway] [town|village|valley], there lived {h.d}.|{h.n} was {h.dk}.|This is a story about {h.d}.|In a [cozy|small|little|tiny] house [near the woods|at the end of a long road|by a green hill|close to the river] lived {h.d}.|Long ago, there was {h.d}.|Not so long ago, there lived {h.d}.|There was once {h.d}.|Far, far away, there lived {h.d}.]");
        t.Tell("[{h} [loved|liked] to {v}.|{h} [loved|liked] to {v} [every day|all day long|more than anything|after breakfast|when the sun was out].|Every [day|morning|afternoon|evening], {h} liked to {v}.|Most of all, {h} loved to {v}.|What {h} liked best was to {v}.|Nothing made {h.o} happier than to {v}.|{h} was always happy when {h.he} could {v}.]");
    }

    /// <summary>Introduces the friend, who is in the same place as the hero.</summary>
    public static void Meet(Tale t, char place, char friend = 'f')
    {
        if (t.World.PlaceOf(t[friend].Name).Length == 0)
            t.Start(friend, place);
        t.Word('9', t[friend].Name);
        string f = "{" + friend;
        string kind = f + ".dk}";
        t.Tell($"[{{h}} had a [best friend|good friend|friend] named {f}.n}}, {kind}.|{{h.s}} [best|good] friend was {f}.n}}, {kind}.|{{h}} had a friend who was {kind}. ^{{h.s}} friend's name was {f}.n}}.|{{h}} and {f}.n}}, {kind}, did everything together.|Next door lived {f}.n}}, {kind} and a good friend.]");
    }

    // Words that would be odd to meet by day on a path.
    private static readonly string[] NotAround =
    [
        "sunset", "star", "moon", "shooting star", "sun", "snow", "rain", "storm", "fog", "wave", "wind", "shadow", "river", "rock pool", "icicle",
        "submarine", "ship", "boat", "sleigh", "raft", "canoe", "rocket", "whale", "dolphin", "seal", "crab", "elephant", "kangaroo", "lion cub", "penguin", "goldfish", "monkey", "otter",
        "pool", "road", "path", "snowman", "roof", "chimney", "garage", "stairs", "wall", "sandcastle", "lighthouse", "tunnel", "slide", "firefly", "moth", "cactus", "moss", "bamboo", "baby bird",
    ];

    /// <summary>Something small is seen, for the joy of seeing.</summary>
    public static void See(Tale t, char slot, string where)
    {
        t.Some(slot, n => Array.IndexOf(NotAround, n.Word) < 0, NounKind.Animal, NounKind.Bug, NounKind.Plant, NounKind.Vehicle, NounKind.Sky, NounKind.Building);
        var kind = t.Thing(slot).Noun.Kind;
        string n = "{a " + slot + "}";
        string the = "{the " + slot + "}";
        string it = "{" + slot + ".it}";
        t.Tell(kind switch
        {
            NounKind.Animal => $"[{where}, {{h}} saw {n}. ^{{h}} waved at {it} and {the} looked back.|{where}, {{h}} met {n}. \"Hello, little one!\" {{h.he}} said.|{where}, {n} [came by|ran past|stopped to look] and made {{h.o}} smile.]",
            NounKind.Bug => $"[{where}, {n} landed near {{h.o}}. ^{{h}} watched {it} for a while.|{where}, {{h}} saw {n} on a leaf.|{where}, {{h}} stopped to look at {n}.]",
            NounKind.Vehicle => $"[{where}, {n} went by.|{where}, {{h}} saw {n} and waved.|{where}, {n} passed, and {{h}} counted to ten until it was gone.]",
            NounKind.Sky => $"[{where}, {{h}} stopped to look at {n}. It was [so pretty|a nice thing to see].|{where}, {{h}} saw {n} and smiled.]",
            _ => $"[{where}, {{h}} saw {n}.|{where}, {{h}} passed {n} and stopped to look at {it}.|{where}, there {{{slot}.was}} {n}.]",
        });
    }

    /// <summary>A glad ending; two actors together when friend is given.</summary>
    public static void Happy(Tale t, char friend = '\0')
    {
        t.Feel('h', "happy");
        t.Activity('j', VerbKind.Joy);
        bool home = t.World.PlaceOf(t['h'].Name) == Cast.Home.Word;
        if (friend != '\0')
        {
            t.Feel(friend, "happy");
            string f = "{" + friend + ".n}";
            t.Tell($"[{{h.n}} and {f} {{j.ed}}. They were [so happy|very happy|happy again].|From then on, {{h.n}} and {f} were the best of friends.|It was [the best day ever|a day to remember|a very good day], and {{h.n}} and {f} {{j.ed}}.|" + (home ? $"{{h.n}} and {f} smiled at each other." : $"{{h.n}} and {f} went home with big smiles.") + $"|After that, {{h.n}} and {f} [often|always] {{v.ed}} together.|They {{j.ed}}, and the day came to a good end.|That evening, {{h.n}} and {f} {{j.ed}}, and both were tired but happy.|And they all lived happily ever after.]");
            return;
        }

        t.Tell("[{h.n} {j.ed}. It was [the best day ever|a wonderful day|a day to remember].|{h.n} was so happy that {h.he} {j.ed}.|That night, {h.n} fell asleep with a smile.|{h.n} went to bed happy and [dreamed sweet dreams|slept well all night].|And {h.n} {j.ed} " + (home ? "for a long time." : "all the way home.") + "|From that day on, {h.n} {v.ed} every day with a big smile.|{h.n} {j.ed}, and everything was good again.|The sun went down, and {h.n} was [very happy|happy and proud].]");
    }

    /// <summary>A sad ending.</summary>
    public static void Sad(Tale t)
    {
        t.Feel('h', "sad");
        t.Word('7', t.Random.Pick(["sad", "lonely", "very sad", "sorry", "unhappy"]));
        bool home = t.World.PlaceOf(t['h'].Name) == Cast.Home.Word;
        t.Tell("[" + (home ? "{h.n} sat alone and cried." : "{h.n} went home alone and cried.") + "|{h.n} was {7} for a long, long time.|That night, {h.n} lay in bed and could not stop crying.|{h.n} did not feel like smiling that day.|There was nothing more to do. " + (home ? "^{h.n} sat down with tears in {h.his} eyes." : "^{h.n} walked home slowly with tears in {h.his} eyes.") + "|{h.n} sat by the window and watched the rain. It was a sad day.|After that, {h.n} felt {7} each time {h.he} thought of that day.]");
    }
}
