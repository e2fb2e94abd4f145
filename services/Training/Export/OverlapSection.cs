using Slm.Training.Stories;

namespace Slm.Training.Export;

/// <summary>How much of what the model writes stands in its training text.</summary>
internal static class OverlapSection
{
    private const int Stories = 60;
    private const int OpeningWords = 12;

    /// <summary>
    /// Lets the model continue the first words of held-out stories, and compares its stories, and the held-out stories
    /// themselves, with every training document. Returns a section of the card.
    /// </summary>
    public static async Task<string> WriteAsync(string modelFile, IEnumerable<string> heldOut, IEnumerable<string> training, float temperature, ulong seed, CancellationToken cancellationToken)
    {
        var originals = heldOut.Where(t => !t.Contains("Story:", StringComparison.Ordinal)).Take(Stories).ToArray();
        var openings = originals.Select(t => string.Join(' ', t.Split(' ').Take(OpeningWords))).ToArray();
        var samples = await SampleWriter.WriteAsync(modelFile, openings, temperature, seed, cancellationToken);
        if (samples.Count == 0)
            return "";
        var texts = samples.Select(s => s.Prompt + s.Text).ToArray();
        var corpus = training as IReadOnlyList<string> ?? [.. training];
        Memorization written = Memorization.Check(texts, corpus), original = Memorization.Check(originals, corpus);
        return FormattableString.Invariant($"""
            ## Overlap with the training text

            {texts.Length} stories that the model continued from the first {OpeningWords} words of held-out stories (temperature {temperature}), compared with all {written.TrainingTexts:N0} training documents. The held-out stories themselves, which the model never saw, show how much any story of this corpus shares with the others.

            | mean (largest) | model | held-out stories |
            |---|---|---|
            | longest common run, words | {written.MeanLongestWords:F1} ({written.MaxLongestWords}) | {original.MeanLongestWords:F1} ({original.MaxLongestWords}) |
            | longest common run, characters | {written.Texts.Average(t => t.LongestCharacters):F0} ({written.MaxLongestCharacters}) | {original.Texts.Average(t => t.LongestCharacters):F0} ({original.MaxLongestCharacters}) |
            | 10-word runs that occur in training | {written.MeanTenGramShare:P1} ({written.Texts.Max(t => t.TenGramShare):P1}) | {original.MeanTenGramShare:P1} ({original.Texts.Max(t => t.TenGramShare):P1}) |
            | 5-gram similarity to the nearest training story | {written.MeanNearestSimilarity:F3} ({written.MaxNearestSimilarity:F3}) | {original.MeanNearestSimilarity:F3} ({original.MaxNearestSimilarity:F3}) |
            | copied whole | {written.CopiedWhole} | {original.CopiedWhole} |
            """);
    }
}
