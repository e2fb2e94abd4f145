namespace Slm.Training.Stories;

/// <summary>Regular English inflection for the simple vocabulary.</summary>
public static class Inflection
{
    /// <summary>"a" or "an" before the phrase, by its first sound.</summary>
    public static string Article(string phrase)
    {
        char first = char.ToLowerInvariant(phrase[0]);
        if (phrase.StartsWith("use", StringComparison.Ordinal) || phrase.StartsWith("uni", StringComparison.Ordinal) || phrase.StartsWith("one", StringComparison.Ordinal))
            return "a";
        if (phrase.StartsWith("hour", StringComparison.Ordinal) || phrase.StartsWith("honest", StringComparison.Ordinal))
            return "an";
        return first is 'a' or 'e' or 'i' or 'o' or 'u' ? "an" : "a";
    }

    public static string Past(string verb, bool doubled)
    {
        if (verb.EndsWith('e'))
            return verb + "d";
        if (verb.EndsWith('y') && !IsVowel(verb[^2]))
            return verb[..^1] + "ied";
        return doubled ? verb + verb[^1] + "ed" : verb + "ed";
    }

    public static string Ing(string verb, bool doubled)
    {
        if (verb.EndsWith("ie", StringComparison.Ordinal))
            return verb[..^2] + "ying";
        if (verb.EndsWith('e') && !verb.EndsWith("ee", StringComparison.Ordinal))
            return verb[..^1] + "ing";
        return doubled ? verb + verb[^1] + "ing" : verb + "ing";
    }

    public static string Plural(string noun)
    {
        if (noun.EndsWith('s') || noun.EndsWith('x') || noun.EndsWith("ch", StringComparison.Ordinal) || noun.EndsWith("sh", StringComparison.Ordinal))
            return noun + "es";
        if (noun.EndsWith('y') && !IsVowel(noun[^2]))
            return noun[..^1] + "ies";
        return noun switch
        {
            "leaf" => "leaves",
            "shelf" => "shelves",
            "calf" => "calves",
            "mouse" => "mice",
            "goose" => "geese",
            "potato" or "tomato" => noun + "es",
            _ => noun + "s",
        };
    }

    private static bool IsVowel(char c) => c is 'a' or 'e' or 'i' or 'o' or 'u';
}
