namespace Slm.Training.Stories;

/// <summary>Swaps plain phrases of a template for equals, so that the same sentence comes in many wordings.</summary>
internal static class Paraphrase
{
    private static readonly (string From, string[] To)[] Swaps =
    [
        (" began to ", [" began to ", " started to "]),
        (" was very ", [" was very ", " was so ", " was really "]),
        ("verybody", ["verybody", "veryone"]),
        ("obody", ["obody", "o one"]),
        ("omebody", ["omebody", "omeone"]),
        ("At last, ", ["At last, ", "Finally, ", "In the end, "]),
        ("Suddenly, ", ["Suddenly, ", "All of a sudden, ", "Just then, "]),
        ("But then ", ["But then ", "But suddenly ", "Then "]),
        (" a lot of ", [" a lot of ", " plenty of "]),
        (" all day", [" all day", " the whole day"]),
        (" looked everywhere", [" looked everywhere", " searched everywhere", " looked all over"]),
        (" ran home", [" ran home", " hurried home", " ran straight home"]),
        (" walked ", [" walked ", " walked ", " strolled "]),
        (" a loud ", [" a loud ", " a very loud ", " a sudden "]),
        (" too high to reach", [" too high to reach", " much too high to reach", " out of reach"]),
        ("for a long time", ["for a long time", "for a long while", "for what felt like hours"]),
        (" the next day", [" the next day", " the following day"]),
        ("The next day", ["The next day", "The following day", "The day after"]),
        ("The next morning", ["The next morning", "Early the next morning", "The following morning"]),
        (" a big hug", [" a big hug", " a warm hug", " a long hug", " a hug"]),
        (" had an idea", [" had an idea", " had a good idea", " had a clever idea", " got an idea"]),
        ("Soon ", ["Soon ", "Soon ", "Before long, "]),
        ("After a while", ["After a while", "After some time", "A little later"]),
        (" did not know ", [" did not know ", " had no idea "]),
        (" smiled and ", [" smiled and ", " laughed and ", " nodded and "]),
        (" looked around", [" looked around", " looked all around", " turned around"]),
        (" as fast as ", [" as fast as ", " as quickly as "]),
        (" together. ", [" together. ", " together. ", " side by side. "]),
        (" worked hard", [" worked hard", " worked very hard", " were busy"]),
        (" nowhere to be found", [" nowhere to be found", " nowhere to be seen"]),
        (" came over", [" came over", " came closer", " walked over"]),
        (" took a deep breath", [" took a deep breath", " took a long, deep breath", " breathed in and out"]),
        (" more than anything", [" more than anything", " more than anything else", " with all {h.his} heart"]),
        (" was gone", [" was gone", " was gone", " had disappeared"]),
        ("In the end, ", ["In the end, ", "At last, "]),
        (" cry.", [" cry.", " cry.", " weep."]),
        (" scared", [" scared", " scared", " afraid", " frightened"]),
    ];

    /// <summary>The template with each known phrase kept or swapped at random.</summary>
    public static string Apply(string template, StoryRandom random)
    {
        foreach (var (from, to) in Swaps)
        {
            int at = template.IndexOf(from, StringComparison.Ordinal);
            if (at >= 0)
                template = string.Concat(template.AsSpan(0, at), random.Pick(to), template.AsSpan(at + from.Length));
        }

        return template;
    }
}
