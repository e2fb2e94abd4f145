using System.Text;
using Slm.Engine.Sampling;
using Slm.Runtime;

namespace Slm.Training.Export;

/// <summary>Lets the engine answer prompts with an exported model.</summary>
internal static class SampleWriter
{
    /// <summary>Prompts of the card: openings and instructions that are not in the corpus.</summary>
    public static IReadOnlyList<string> CardPrompts { get; } =
    [
        "Once upon a time, in a house on a hill, there lived a clever fox named Ruby. She liked to",
        "One rainy morning, Tom and his grandmother found a small box in the garden.",
        "Far away, by the sea, there lived a patient girl called Wilma. Every evening, she liked to count the boats. One day,",
        "Words: boat, climb, shy\nStory:\n",
        "Features: Dialogue, MoralValue\nSummary: A girl named Mia finds a lost kite and gives it back to her friend.\nStory:\n",
        "Features: BadEnding\nWords: cake, hide, yellow\nStory:\n",
    ];

    /// <summary>Answers each prompt once, all together; prompts that would fill more than half of the context are left out.</summary>
    public static async Task<IReadOnlyList<CardSample>> WriteAsync(string modelFile, IReadOnlyList<string> prompts, float temperature, ulong seed, CancellationToken cancellationToken)
    {
        await using var model = TextModel.Open(modelFile, new TextModelOptions());
        async Task<CardSample> Answer(string prompt, ulong seed)
        {
            var answer = new StringBuilder();
            var request = new TextRequest
            {
                Prompt = new TextPrompt.Text(prompt),
                Sampling = new SamplingOptions { Temperature = temperature, Seed = seed },
            };
            await foreach (var chunk in model.GenerateAsync(request, cancellationToken))
                answer.Append(chunk.Text);
            return new CardSample(prompt, answer.ToString(), FormattableString.Invariant($"temperature {temperature}, seed {seed}"));
        }

        return await Task.WhenAll(prompts
            .Where(prompt => model.Encode(new TextPrompt.Text(prompt)).Ids.Length <= model.ContextLength / 2)
            .Select((prompt, i) => Answer(prompt, seed + (ulong)i)));
    }
}
