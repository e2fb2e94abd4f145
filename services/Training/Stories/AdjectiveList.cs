namespace Slm.Training.Stories;

/// <summary>What an adjective can be said of.</summary>
public enum AdjectiveKind
{
    /// <summary>Colour of a thing.</summary>
    Colour,

    /// <summary>Size or look of any thing.</summary>
    Look,

    /// <summary>Taste of food.</summary>
    Taste,

    /// <summary>Character of a person or animal, good.</summary>
    Trait,

    /// <summary>Character, bad.</summary>
    Fault,

    /// <summary>Sad mood.</summary>
    Sad,

    /// <summary>Glad mood.</summary>
    Glad,

    /// <summary>Weather of a day.</summary>
    Weather,

    /// <summary>A place.</summary>
    Place,

    /// <summary>A living animal's looks.</summary>
    Fur,
}

/// <summary>An adjective and what it is said of.</summary>
public sealed record Adjective(string Word, AdjectiveKind Kind);

/// <summary>The adjectives by kind.</summary>
public static class AdjectiveList
{
    public static readonly IReadOnlyList<Adjective> All = Parse(
        (AdjectiveKind.Colour, "red blue green yellow turquoise violet crimson scarlet maroon beige navy-blue sky-blue copper orange purple pink brown black white gray golden silver bright colorful rainbow-colored dark pale light-blue dark-green"),
        (AdjectiveKind.Look, "big small tiny huge little new old shiny pretty beautiful special strange fancy plain round smooth lovely nice perfect magic wonderful amazing strong heavy light ordinary simple fine rare precious funny unusual odd enormous dusty neat cute favorite large giant secret fantastic handy useful sparkly stripy spotted glittering gleaming wooden well-made elegant charming delightful splendid marvelous peculiar polished dazzling glossy dirty clean cheap expensive modern ancient rusty famous mysterious"),
        (AdjectiveKind.Taste, "sweet yummy tasty delicious fresh warm good healthy special big small perfect nice wonderful homemade lovely little large creamy"),
        (AdjectiveKind.Trait, "kind brave curious clever gentle friendly quiet cheerful helpful happy smart polite honest shy careful lively playful patient calm silly funny generous loyal thoughtful adventurous creative hardworking little young lucky energetic merry bold wise caring loving modest dreamy independent talkative fearless sensible trusting nice eager hopeful sweet good quick strong tidy humble sunny joyful witty peaceful imaginative determined warm-hearted agreeable observant inventive spirited courageous faithful gracious good-hearted open-minded resourceful respectful responsible quick-witted softhearted sincere upbeat bubbly"),
        (AdjectiveKind.Fault, "greedy lazy selfish stubborn grumpy bossy rude impatient jealous careless messy naughty proud mean forgetful noisy clumsy moody fussy bored picky restless cheeky sneaky vain boastful disobedient nosy hasty hot-tempered spoiled absent-minded reckless whiny wasteful unfriendly sulky"),
        (AdjectiveKind.Sad, "sad upset worried unhappy lonely scared afraid nervous hurt gloomy miserable disappointed tired angry frightened helpless ashamed sorry confused anxious embarrassed heartbroken guilty hopeless annoyed"),
        (AdjectiveKind.Glad, "happy glad proud excited joyful thankful delighted cheerful pleased grateful relieved content merry thrilled overjoyed"),
        (AdjectiveKind.Weather, "sunny warm cold rainy windy cloudy snowy hot cool foggy stormy bright beautiful lovely gray chilly clear fine breezy misty quiet frosty mild wet icy"),
        (AdjectiveKind.Place, "quiet busy peaceful green old big beautiful sunny pretty empty lovely calm huge dark nearby wide wild tiny"),
        (AdjectiveKind.Fur, "fluffy furry soft tiny little small hungry thirsty scared lost cold wet gray brown white black spotted sleepy cute skinny weak wild friendly lonely baby hurt injured muddy shaggy"));

    private static readonly Dictionary<AdjectiveKind, Adjective[]> Kinds = All.GroupBy(a => a.Kind).ToDictionary(g => g.Key, g => g.ToArray());

    public static IReadOnlyList<Adjective> Of(AdjectiveKind kind) => Kinds[kind];

    private static List<Adjective> Parse(params (AdjectiveKind Kind, string Words)[] groups) =>
        [.. groups.SelectMany(g => g.Words.Split(' ').Distinct().Select(w => new Adjective(w, g.Kind)))];
}
