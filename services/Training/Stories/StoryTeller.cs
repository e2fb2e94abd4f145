namespace Slm.Training.Stories;

/// <summary>A kind of plot and the features its operators can make.</summary>
public sealed record StorySchema(string Name, Action<Tale> Tell, IReadOnlySet<StoryFeature> Supports);

/// <summary>Chooses schema and features, runs the schema and checks what came out.</summary>
internal static class StoryTeller
{
    /// <summary>All plot schemas.</summary>
    public static readonly IReadOnlyList<StorySchema> Schemas = [.. SchemasLoss.All, .. SchemasSocial.All, .. SchemasEffort.All, .. SchemasWonder.All];

    /// <summary>One story, or null when length is out of bounds (the caller draws again).</summary>
    public static Story? TryTell(StoryRandom random, bool anyLength)
    {
        var schema = random.Pick(Schemas);
        var tale = new Tale(random);
        if (random.Chance(0.62))
            tale.Wanted.Add(StoryFeature.Dialogue);
        foreach (var feature in schema.Supports)
        {
            double p = feature switch { StoryFeature.BadEnding => 0.2, StoryFeature.MoralValue => 0.4, StoryFeature.Twist => 0.4, _ => 0.5 };
            if (random.Chance(p))
                tale.Wanted.Add(feature);
        }

        schema.Tell(tale);
        string text = tale.Text;
        int words = CountWords(text);
        if (!anyLength && words is < 110 or > 275)
            return null;
        if (tale.World.GoalMet is null)
            throw new PlotException(schema.Name + " left its goal open");
        if (tale.Speakers >= 2)
            tale.Done.Add(StoryFeature.Dialogue);
        var required = Required(tale, text, random, out var forms);
        if (required is null)
            return null;
        var features = tale.Done.Order().ToArray();
        return new Story
        {
            Text = text,
            Summary = tale.Summary,
            RequiredWords = required,
            Features = features,
            SentenceToInclude = PickSentence(text, random),
            Plot = new StoryPlot
            {
                Schema = schema.Name,
                Characters = [.. tale.Actors.Select(a => new PlotCharacter(a.Name, a.Kind, a.Male ? "he" : "she", a.Trait, tale.World.MoodOf(a.Name)))],
                Places = [.. tale.Events.Select(e => e.Place).Where(p => p.Length > 0).Distinct()],
                Objects = [.. tale.Items.Select(i => new PlotObject(i.Noun.Word, i.Noun.Kind.ToString(), i.Adjective, tale.World.HolderOf(i.Noun.Word), tale.World.IsBroken(i.Noun.Word)))],
                Goal = tale.World.Goal ?? "",
                Obstacle = tale.Obstacle,
                Resolution = tale.Resolution,
                GoalMet = tale.World.GoalMet.Value,
                Events = [.. tale.Events],
                RequiredWords = required,
                RequiredForms = forms,
                Features = features,
                Summary = tale.Summary,
            },
        };
    }

    internal static int CountWords(string text)
    {
        int count = 0;
        bool inside = false;
        foreach (char c in text)
        {
            bool letter = !char.IsWhiteSpace(c);
            if (letter && !inside)
                count++;
            inside = letter;
        }

        return count;
    }

    private static string[]? Required(Tale tale, string text, StoryRandom random, out string[] forms)
    {
        forms = new string[3];
        var required = new string[3];
        int slot = 0;
        foreach (char part in "nva")
        {
            var options = tale.Used.Where(u => u.Part == part && HasWord(text, u.Form)).Distinct().ToList();
            if (options.Count == 0)
                return null;
            (required[slot], forms[slot], _) = random.Pick(options);
            slot++;
        }

        return required;
    }

    /// <summary>True when the text has the word (or words), not inside another word; case does not matter.</summary>
    internal static bool HasWord(string text, string word)
    {
        for (int at = text.IndexOf(word, StringComparison.OrdinalIgnoreCase); at >= 0; at = text.IndexOf(word, at + 1, StringComparison.OrdinalIgnoreCase))
        {
            bool left = at == 0 || !char.IsLetter(text[at - 1]);
            bool right = at + word.Length == text.Length || !char.IsLetter(text[at + word.Length]);
            if (left && right)
                return true;
        }

        return false;
    }

    private static string PickSentence(string text, StoryRandom random)
    {
        var good = new List<string>();
        foreach (var paragraph in text.Split("\n\n"))
        {
            int start = 0;
            bool quote = false;
            for (int i = 0; i < paragraph.Length; i++)
            {
                if (paragraph[i] == '"')
                    quote = !quote;
                bool end = paragraph[i] is '.' or '!' or '?' && (i + 1 == paragraph.Length || paragraph[i + 1] == ' ');
                if (!end || quote)
                    continue;
                string sentence = paragraph[start..(i + 1)].Trim();
                start = i + 1;
                int words = CountWords(sentence);
                if (!sentence.Contains('"') && words is >= 5 and <= 22)
                    good.Add(sentence);
            }
        }

        return good.Count > 0 ? random.Pick(good) : text[..(text.IndexOf('.') + 1)];
    }
}
