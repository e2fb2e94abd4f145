using System.Text;

namespace Slm.Training.Stories;

/// <summary>
/// One story in the making: the world with its events, the cast in one-letter slots, and the text told so far.
/// Lower-case slots: actors (h hero, f friend, m elder, x other), things (o, p, q). Upper-case slots: places. v, w, j: activities.
/// </summary>
public sealed partial class Tale
{
    private readonly Actor?[] _actors = new Actor?[128];
    private readonly Item?[] _items = new Item?[128];
    private readonly Place?[] _places = new Place?[128];
    private readonly VerbPhrase?[] _verbs = new VerbPhrase?[128];
    private readonly string?[] _words = new string?[128];
    private readonly List<PlotEvent> _events = [];
    private readonly HashSet<string> _taken = [];
    private readonly HashSet<Actor> _speakers = [];

    internal Tale(StoryRandom random) => Random = random;

    public StoryRandom Random { get; }

    public World World { get; } = new();

    public IReadOnlyList<PlotEvent> Events => _events;

    /// <summary>What the schema is asked for.</summary>
    public HashSet<StoryFeature> Wanted { get; } = [];

    /// <summary>What the schema has done.</summary>
    public HashSet<StoryFeature> Done { get; } = [];

    public string Obstacle { get; set; } = "";

    public string Resolution { get; set; } = "";

    public string Summary { get; private set; } = "";

    public int Speakers => _speakers.Count;

    public IEnumerable<Actor> Actors => _actors.Where(a => a is not null).Select(a => a!);

    public IEnumerable<Item> Items => _items.Where(a => a is not null).Select(a => a!);

    public bool Dialogue => Wanted.Contains(StoryFeature.Dialogue);

    public bool Bad => Wanted.Contains(StoryFeature.BadEnding);

    public bool Chance(double p) => Random.Chance(p);

    /// <summary>True when the feature is asked for; the schema then does it, and it counts as done.</summary>
    public bool Do(StoryFeature feature) => Wanted.Contains(feature) && (Done.Add(feature) || true);

    public Actor this[char slot] => _actors[slot] ?? throw new PlotException($"no actor in slot {slot}");

    public Item Thing(char slot) => _items[slot] ?? throw new PlotException($"no thing in slot {slot}");

    public Place Where(char slot) => _places[slot] ?? throw new PlotException($"no place in slot {slot}");

    public Actor Put(char slot, Actor actor) => _actors[slot] = actor;

    public Place Put(char slot, Place place)
    {
        _taken.Add(place.Word);
        return _places[slot] = place;
    }

    public void Word(char slot, string word) => _words[slot] = word;

    // ----- casting

    public Actor Child(char slot) => Put(slot, Cast.Child(Random, _taken));

    public Actor Beast(char slot) => Put(slot, Cast.Beast(Random, _taken));

    public Actor Elder(char slot) => Put(slot, Cast.Elder(Random, this['h'], _taken));

    public Actor GrownUp(char slot, params string[] kinds) => Put(slot, Cast.GrownUp(Random, _taken, kinds.Length == 0 ? null : kinds));

    /// <summary>A hero: child or talking animal, with a trait.</summary>
    public Actor Hero(bool childOnly = false, AdjectiveKind trait = AdjectiveKind.Trait, double beasts = 0.35)
    {
        var hero = !childOnly && Chance(beasts) ? Beast('h') : Child('h');
        do
            hero.Trait = Random.Pick(AdjectiveList.Of(trait)).Word;
        while (hero.Trait is "little" or "young" or "big" && trait == AdjectiveKind.Trait && Chance(0.5));
        return hero;
    }

    /// <summary>A friend of the hero's own sort (child or animal).</summary>
    public Actor Friend(char slot = 'f') => this['h'].Animal ? Beast(slot) : Child(slot);

    public Place SomePlace(char slot, Func<Place, bool>? fits = null)
    {
        while (true)
        {
            var place = Random.Pick(Cast.Places);
            if (_taken.Contains(place.Word) || (this['h'].Animal && !place.Wild) || (fits is not null && !fits(place)))
                continue;
            return Put(slot, place);
        }
    }

    /// <summary>A thing of one of the kinds, with an adjective that fits.</summary>
    public Item Some(char slot, params NounKind[] kinds)
    {
        while (true)
        {
            var noun = Random.Pick(NounList.Of(Random.Pick(kinds)));
            if (!_taken.Add("noun " + noun.Word))
                continue;
            return Some(slot, noun);
        }
    }

    /// <summary>A thing of one of the kinds that the story has no objection to.</summary>
    public Item Some(char slot, Func<Noun, bool> fits, params NounKind[] kinds)
    {
        while (true)
        {
            var noun = Random.Pick(NounList.Of(Random.Pick(kinds)));
            if (!fits(noun) || !_taken.Add("noun " + noun.Word))
                continue;
            return Some(slot, noun);
        }
    }

    /// <summary>A thing named by one of the words that the story does not have yet.</summary>
    public Item OneOf(char slot, NounKind kind, bool mass, string[] words)
    {
        string word;
        do
            word = Random.Pick(words);
        while (!_taken.Add("noun " + word));
        return Some(slot, new Noun(word, kind, false, mass || word is "bread" or "soup" or "stew" or "pudding"));
    }

    /// <summary>A given thing, with an adjective that fits.</summary>
    public Item Some(char slot, Noun noun)
    {
        _taken.Add("noun " + noun.Word);
        string adjective;
        do
            adjective = Random.Pick(AdjectiveList.Of(AdjectiveFor(noun))).Word;
        while (noun.Word.Contains(adjective, StringComparison.Ordinal) || Clash(noun, adjective) || (!Needy && Array.IndexOf(NeedyWords, adjective) >= 0));
        return _items[slot] = new Item(noun, adjective);
    }

    private AdjectiveKind AdjectiveFor(Noun noun)
    {
        return noun.Kind switch
        {
            NounKind.Food => AdjectiveKind.Taste,
            NounKind.Animal => AdjectiveKind.Fur,
            NounKind.Bug => Chance(0.6) ? AdjectiveKind.Colour : AdjectiveKind.Fur,
            NounKind.Plant or NounKind.Sky or NounKind.Building or NounKind.Furniture => AdjectiveKind.Look,
            _ => Chance(0.5) ? AdjectiveKind.Colour : AdjectiveKind.Look,
        };
    }

    /// <summary>A small thing that can be held, lost and found.</summary>
    public Item SomePortable(char slot, bool toyish = false) => toyish
        ? Some(slot, NounKind.Toy, NounKind.Toy, NounKind.Instrument, NounKind.Clothes, NounKind.Paper, NounKind.Treasure)
        : Some(slot, NounKind.Toy, NounKind.Clothes, NounKind.Tool, NounKind.Treasure, NounKind.Nature, NounKind.Paper, NounKind.Instrument, NounKind.Box, NounKind.Dish);

    public VerbPhrase Activity(char slot, params VerbKind[] kinds)
    {
        while (true)
        {
            var verb = Random.Pick(VerbList.Of(Random.Pick(kinds)));
            if (slot == 'w' && verb.Kind == VerbKind.Play && Array.Exists(Fixed, f => verb.Rest.Contains(f, StringComparison.Ordinal)))
                continue;
            if (_taken.Add("verb " + verb.Verb))
                return _verbs[slot] = verb;
        }
    }

    // Complements that need a place of their own, so they do not fit wherever the plot happens to be.
    private static readonly string[] Fixed = ["bed", "table", "house", "yard", "dog", "ice", "lake", "pond", "stream", "water", "creek", "river", "hill", "snow", "bike", "bus", "cave", "wall", "baby", "cat", "lawn", "woods", "camp", "street", "rope", "swing", "mud", "path"];

    private static readonly HashSet<string> IsColour = [.. AdjectiveList.Of(AdjectiveKind.Colour).Select(a => a.Word)];
    private static readonly string[] NeedyWords = ["hungry", "thirsty", "scared", "lost", "cold", "wet", "sleepy", "skinny", "weak", "lonely", "hurt", "injured", "muddy"];

    /// <summary>True when animals may be in need (a rescue); otherwise they are only pretty.</summary>
    public bool Needy { get; set; }

    private static bool Clash(Noun noun, string adjective) => (noun.Word.StartsWith("gold", StringComparison.Ordinal) || noun.Word.StartsWith("silver", StringComparison.Ordinal) || noun.Word.StartsWith("blue", StringComparison.Ordinal)) && IsColour.Contains(adjective) || adjective switch
    {
        "heavy" or "strong" => noun.Kind is NounKind.Clothes or NounKind.Paper or NounKind.Nature or NounKind.Toy || noun.Word is "bead" or "button" or "balloon",
        "enormous" or "huge" or "giant" => noun.Kind is not (NounKind.Building or NounKind.Plant or NounKind.Furniture or NounKind.Vehicle or NounKind.Toy),
        "expensive" or "cheap" or "modern" or "new" => noun.Kind is NounKind.Nature or NounKind.Plant or NounKind.Sky,
        "round" or "smooth" => noun.Kind is NounKind.Clothes or NounKind.Sky,
        "rusty" => noun.Kind is not (NounKind.Tool or NounKind.Vehicle or NounKind.Dish),
        "ancient" or "famous" => noun.Kind is NounKind.Clothes or NounKind.Dish or NounKind.Toy,
        "dirty" or "clean" or "dusty" or "fancy" or "stripy" or "spotted" => noun.Kind is NounKind.Sky or NounKind.Treasure or NounKind.Plant,
        "wooden" => noun.Kind is not (NounKind.Toy or NounKind.Box or NounKind.Furniture or NounKind.Building) || noun.Word is "balloon" or "kite" or "teddy bear" or "beach ball" or "jump rope" or "stuffed bunny" or "rag doll" or "sandcastle" or "snowman" or "paper plane" or "bag" or "bottle",
        "polished" or "well-made" or "glossy" or "elegant" => noun.Kind is NounKind.Plant or NounKind.Sky or NounKind.Nature or NounKind.Bug,
        "handy" or "useful" => noun.Kind is not (NounKind.Tool or NounKind.Box or NounKind.Dish),
        "creamy" => noun.Word is not ("cake" or "soup" or "yogurt" or "pudding"),
        "homemade" => noun.Word is not ("cake" or "soup" or "pie" or "bread" or "jam" or "cookie" or "pizza" or "muffin" or "cupcake"),
        "little" or "large" or "big" or "small" => noun.Mass,
        "warm" => noun.Word is not ("soup" or "bread" or "pie" or "tea" or "milk" or "pizza" or "muffin" or "stew" or "toast" or "pancake" or "waffle"),
        "sweet" => noun.Word is "soup" or "pizza" or "salad" or "rice" or "egg" or "meatball" or "sausage" or "fish stick" or "butter" or "potato" or "stew" or "spaghetti" or "noodles",
        "baby" or "lost" => noun.Word.Contains("baby", StringComparison.Ordinal) || noun.Word.Contains("cub", StringComparison.Ordinal),
        "fluffy" or "furry" or "shaggy" or "soft" or "spotted" or "baby" when noun.Kind == NounKind.Bug => true,
        "silver" or "golden" or "bright" or "dark" or "rainbow-colored" or "light-blue" or "dark-green" or "purple" or "pink" or "pale" => noun.Kind == NounKind.Bug,
        "fluffy" or "furry" or "shaggy" => noun.Word is "turtle" or "frog" or "goldfish" or "lizard" or "crab" or "whale" or "dolphin" or "elephant" or "bird" or "owl",
        "tiny" or "skinny" or "little" => noun.Word is "elephant" or "whale",
        "favorite" or "secret" or "real" => noun.Kind is not (NounKind.Toy or NounKind.Paper or NounKind.Treasure or NounKind.Box),
        _ => false,
    };

    // ----- events: the world first, then the words

    private PlotEvent Record(EventKind kind, string actor, string? thing = null, string? target = null, string? detail = null)
    {
        var e = World.Apply(kind, actor, thing, target, detail);
        _events.Add(e);
        return e;
    }

    private string Id(char thing) => Thing(thing).Noun.Word;

    public void Start(char actor, char place) => Record(EventKind.Start, this[actor].Name, null, Where(place).Word);

    public void Own(char actor, char thing) => Record(EventKind.Own, this[actor].Name, Id(thing));

    public void Lie(char thing, char place) => Record(EventKind.Lie, "", Id(thing), Where(place).Word);

    public void Go(char actor, char place)
    {
        if (World.PlaceOf(this[actor].Name) != Where(place).Word)
            Record(EventKind.Go, this[actor].Name, null, Where(place).Word);
    }

    public void Go(char a, char b, char place)
    {
        Go(a, place);
        Go(b, place);
    }

    /// <summary>An event of an actor, about a thing (or '\0'), towards an actor (or '\0').</summary>
    public void Ev(EventKind kind, char actor, char thing = '\0', char target = '\0', string? detail = null) =>
        Record(kind, this[actor].Name, thing == '\0' ? null : Id(thing), target == '\0' ? null : this[target].Name, detail);

    public void LoseAt(char actor, char thing, char place) => Record(EventKind.Lose, this[actor].Name, Id(thing), Where(place).Word);

    public void Feel(char actor, string mood) => Record(EventKind.Feel, this[actor].Name, null, null, mood);

    public void Weather(string weather) => Record(EventKind.Weather, "", null, null, weather);

    /// <summary>The hero's goal, as a template ("find {the o}").</summary>
    public void Want(char actor, string goal) => Record(EventKind.Want, this[actor].Name, null, null, Isolated(goal));

    /// <summary>The goal is met; says what solved it.</summary>
    public void Succeed(char actor, string resolution)
    {
        Resolution = Isolated(resolution);
        Record(EventKind.Succeed, this[actor].Name, null, null, Resolution);
    }

    /// <summary>The goal is missed for good: a bad ending.</summary>
    public void Fail(char actor, string why)
    {
        Resolution = Isolated(why);
        Done.Add(StoryFeature.BadEnding);
        Record(EventKind.Fail, this[actor].Name, null, null, Resolution);
    }

    /// <summary>Two actors quarrel: the feature Conflict.</summary>
    public void Quarrel(char a, char b)
    {
        Ev(EventKind.Quarrel, a, '\0', b);
        Done.Add(StoryFeature.Conflict);
    }

    public void Problem(string obstacle) => Obstacle = Isolated(obstacle);

    public void Sum(string summary) => Summary = Isolated(summary, true);

    /// <summary>Closing words with a lesson: the feature MoralValue, when wanted.</summary>
    public bool Moral(string lesson)
    {
        if (!Do(StoryFeature.MoralValue))
            return false;
        Ev(EventKind.Learn, 'h', '\0', '\0', Isolated(lesson));
        Tell("[{h} learned that " + lesson + ".|From that day on, {h} knew that " + lesson + ".|That day {h} learned something important: " + lesson + ".|{h} never forgot that " + lesson + ".|And so {h} understood that " + lesson + ".]");
        return true;
    }
}
