namespace Slm.Training.Stories;

/// <summary>A character: how the story speaks of it.</summary>
public sealed class Actor
{
    /// <summary>Name in narration ("Lily", "Mom", "his grandma").</summary>
    public required string Name { get; init; }

    /// <summary>How others call the character.</summary>
    public required string Vocative { get; init; }

    /// <summary>"girl", "dog", "farmer".</summary>
    public required string Kind { get; init; }

    public required bool Male { get; init; }

    public bool Animal { get; init; }

    public bool Adult { get; init; }

    /// <summary>Adjective of character; "" when none is told.</summary>
    public string Trait { get; set; } = "";

    internal int LastSentence { get; set; } = -10;

    internal string Pronoun => Male ? "he" : "she";
}

/// <summary>A place with the prepositions that fit it.</summary>
/// <param name="Word">"the park".</param>
/// <param name="In">"in the park".</param>
/// <param name="To">"to the park".</param>
/// <param name="Outdoor">Under the sky.</param>
/// <param name="Wild">Animals who talk live there.</param>
public sealed record Place(string Word, string In, string To, bool Outdoor, bool Wild);

/// <summary>A thing in the story.</summary>
public sealed class Item(Noun noun, string adjective)
{
    public Noun Noun { get; } = noun;

    public string Adjective { get; } = adjective;

    internal bool Mentioned { get; set; }
}

/// <summary>Names, kinds and places to draw from.</summary>
public static class Cast
{
    public static readonly string[] Girls = "Lily Mia Anna Emma Sue Lucy Ella Zoe Sara Mary Amy Kate Rosie Nora Ruby Ivy Molly Daisy Jane Clara Grace Alice Tina Betty Lola Maya Nina Eva Julia Sophie Hannah Abby Chloe Leah Penny Bella Fiona Greta Holly Iris Jill June Kim Lena Luna Maggie Nell Olive Pam Rita Sally Tess Una Vera Wendy Yara Zara Dora Elsa Freya Gina Hazel Kira Lisa Mimi Paula Bonnie Cora Edith Esther Faye Flora Georgia Harriet Ida Jasmine Josie Kelly Laura Linda Louise Lydia Mabel Marcy Martha Megan Minnie Nancy Naomi Nellie Pearl Phoebe Polly Rachel Rosa Sadie Stella Susie Tara Trudy Valerie Willa Winnie Yvonne".Split(' ');
    public static readonly string[] Boys = "Tom Tim Ben Max Sam Jack Leo Finn Noah Luke Adam Dan Eric Fred George Henry Ian Jake Kyle Liam Mark Nick Oscar Paul Ray Seth Ted Theo Toby Victor Will Zack Alex Billy Carl David Eli Felix Gus Hugo Jimmy Kevin Louis Mike Ned Otto Pete Ralph Simon Tony Andy Bob Charlie Danny Ethan Frank Harry Jim Joe Oliver Peter Roy Steve Walter Abe Albert Alfie Archie Arthur Austin Barry Brian Caleb Calvin Carlos Chad Chris Clark Cody Colin Dennis Derek Dylan Edgar Edward Elliot Ernie Evan Gabe Gary Gavin Glen Graham Grant Hector Herman Ivan Jacob Jason Jeff Jesse Joel Johnny Josh Keith Lance Larry Marvin Milton Mitch Nathan Neil Norman Owen Patrick Philip Quinn Ricky Robin Rudy Ryan Stan Stuart Terry Trevor Vince Warren Wesley".Split(' ');
    public static readonly string[] AnimalMale = "Benny Bruno Buddy Coco Dash Dusty Fuzzy Hoppy Jasper Milo Nibbles Oscar Pip Rocky Rusty Scout Shadow Spot Teddy Tiny Wally Zippy Biscuit Bobo Chip Duke Fluff Hank Mango Noodle Pepper Rolo Sparky Tucker Waffles Ziggy Barnaby Chester Boris Monty".Split(' ');
    public static readonly string[] AnimalFemale = "Bella Cherry Dotty Flora Ginger Hazel Honey Kiki Lulu Mimi Pearl Penny Poppy Rosie Ruby Sunny Tilly Willow Zuzu Bonnie Candy Coral Dolly Fern Gigi Jojo Lottie Maple Minnie Nutmeg Olive Peaches Pixie Snowy Tulip Violet Winnie Bubbles Clover Daffy".Split(' ');
    public static readonly string[] AnimalKinds = "dog cat rabbit bear fox mouse squirrel frog duck turtle owl hedgehog pig lamb deer monkey elephant lion bird raccoon beaver penguin goat pony hamster otter badger mole bunny kitten puppy tiger koala panda wolf donkey sheep rooster parrot crocodile giraffe zebra hippo kangaroo porcupine skunk chipmunk goose lizard toad camel".Split(' ');

    public static readonly Place[] Places =
    [
        new("the park", "in the park", "to the park", true, true), new("the forest", "in the forest", "to the forest", true, true),
        new("the beach", "at the beach", "to the beach", true, false), new("the garden", "in the garden", "to the garden", true, true),
        new("the farm", "on the farm", "to the farm", true, true), new("the pond", "at the pond", "to the pond", true, true),
        new("the river", "by the river", "to the river", true, true), new("the lake", "by the lake", "to the lake", true, true),
        new("the playground", "on the playground", "to the playground", true, false), new("the zoo", "at the zoo", "to the zoo", true, false),
        new("the market", "at the market", "to the market", true, false), new("the library", "in the library", "to the library", false, false),
        new("the school", "at the school", "to the school", false, false), new("the toy shop", "in the toy shop", "to the toy shop", false, false),
        new("the bakery", "in the bakery", "to the bakery", false, false), new("the hill", "on the hill", "to the hill", true, true),
        new("the meadow", "in the meadow", "to the meadow", true, true), new("the field", "in the field", "to the field", true, true),
        new("the barn", "in the barn", "to the barn", false, true), new("the village", "in the village", "to the village", true, true),
        new("the town square", "in the town square", "to the town square", true, false), new("the museum", "in the museum", "to the museum", false, false),
        new("the cave", "in the cave", "to the cave", false, true), new("the treehouse", "in the treehouse", "to the treehouse", false, true),
        new("the woods", "in the woods", "to the woods", true, true), new("the old bridge", "by the old bridge", "to the old bridge", true, true),
        new("the big oak tree", "under the big oak tree", "to the big oak tree", true, true), new("the orchard", "in the orchard", "to the orchard", true, true),
        new("the stream", "by the stream", "to the stream", true, true), new("the castle", "at the castle", "to the castle", false, true),
        new("the yard", "in the yard", "to the yard", true, false), new("the bus stop", "at the bus stop", "to the bus stop", true, false),
        new("the train station", "at the train station", "to the train station", false, false), new("the swimming pool", "at the swimming pool", "to the swimming pool", true, false),
        new("the valley", "in the valley", "to the valley", true, true), new("the waterfall", "by the waterfall", "to the waterfall", true, true),
        new("the old mill", "at the old mill", "to the old mill", false, true), new("the harbor", "in the harbor", "to the harbor", true, false),
        new("the fair", "at the fair", "to the fair", true, true), new("the street", "in the street", "to the street", true, false),
    ];

    public static readonly Place Home = new("home", "at home", "home", false, true);

    // Names from lists can be told from memory; a name never seen before can only be told by looking back at where it stood.
    private const double InventedNames = 0.08;
    private static readonly string[] Onsets = "B Br C Ch D Dr F Fl G Gr H J K Kr L M N P Pr R S Sh St T Tr V W Y Z".Split(' ');
    private static readonly string[] Vowels = "a e i o u ai ea ee o a e i".Split(' ');
    private static readonly string[] Middles = "b d f g l ll m n nd nn r rr s t v z lm rn sk".Split(' ');
    private static readonly string[] MaleEnds = "o us in on er ick am is ert an".Split(' ');
    private static readonly string[] FemaleEnds = "a ia ie y ina ella is ette".Split(' ');

    private static string Invented(StoryRandom random, bool male) =>
        random.Pick(Onsets) + random.Pick(Vowels) + random.Pick(Middles) + random.Pick(male ? MaleEnds : FemaleEnds);

    internal static Actor Child(StoryRandom random, HashSet<string> taken)
    {
        bool male = random.Chance(0.5);
        string name = Fresh(random, male ? Boys : Girls, taken);
        return new Actor { Name = name, Vocative = name, Kind = male ? "boy" : "girl", Male = male };
    }

    internal static Actor Beast(StoryRandom random, HashSet<string> taken)
    {
        bool male = random.Chance(0.5);
        string name = Fresh(random, male ? AnimalMale : AnimalFemale, taken);
        string kind;
        do
            kind = random.Pick(AnimalKinds);
        while (!taken.Add("kind " + kind));
        return new Actor { Name = name, Vocative = name, Kind = kind, Male = male, Animal = true };
    }

    internal static Actor Elder(StoryRandom random, Actor hero, HashSet<string> taken)
    {
        bool male = random.Chance(0.45);
        int roll = random.Next(10);
        string kind = roll < 6 ? (male ? "dad" : "mom") : (male ? "grandpa" : "grandma");
        taken.Add(kind);
        string title = char.ToUpperInvariant(kind[0]) + kind[1..];
        string name = random.Chance(0.5) ? title : (hero.Male ? "his " : "her ") + kind;
        return new Actor { Name = name, Vocative = title, Kind = kind, Male = male, Adult = true, Animal = hero.Animal };
    }

    internal static Actor GrownUp(StoryRandom random, HashSet<string> taken, string[]? kinds = null)
    {
        bool male = random.Chance(0.5);
        string kind = random.Pick(kinds ?? ["farmer", "baker", "teacher", "neighbor", "gardener", "sailor", "painter", "fisherman", "shopkeeper", "carpenter", "miller", "tailor", "mailman"]);
        if (kind is "fisherman" or "mailman")
            male = true;
        string name = Fresh(random, male ? Boys : Girls, taken);
        string full = kind switch
        {
            "doctor" => "Doctor " + name,
            "farmer" => (male ? "Mister " : "Miss ") + name,
            _ => (male ? "Uncle " : "Aunt ") + name,
        };
        if (kind is "teacher" or "shopkeeper")
            full = (male ? "Mister " : "Miss ") + name;
        return new Actor { Name = full, Vocative = full, Kind = kind, Male = male, Adult = true };
    }

    private static string Fresh(StoryRandom random, string[] names, HashSet<string> taken)
    {
        while (true)
        {
            string name = random.Chance(InventedNames) ? Invented(random, names == Boys || names == AnimalMale) : random.Pick(names);
            if (!taken.Contains(name) && taken.Add("initial " + name[0]))
            {
                taken.Add(name);
                return name;
            }
        }
    }
}
