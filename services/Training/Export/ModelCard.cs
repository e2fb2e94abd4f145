using System.Text;
using Slm.Training.Data;

namespace Slm.Training.Export;

/// <summary>A prompt and what the model made of it.</summary>
public sealed record CardSample(string Prompt, string Text, string Sampling);

/// <summary>Writes the model card: data, tokens, curve, perplexity, overlap with the training text, samples, limits.</summary>
public static class ModelCard
{
    /// <summary>The card in Markdown.</summary>
    /// <param name="model">The model.</param>
    /// <param name="modelFile">Path of its file, for size and name.</param>
    /// <param name="train">Training documents.</param>
    /// <param name="loss">Held-out loss.</param>
    /// <param name="validationDocuments">How many documents that is of.</param>
    /// <param name="agreement">How far the engine's logits are from the trainer's.</param>
    /// <param name="measurements">Sections on what its texts are like; empty ones are left out.</param>
    /// <param name="samples">Samples to show.</param>
    public static string Write(TrainedModel model, string modelFile, TokenStore train, EvaluatedLoss loss, int validationDocuments, LogitAgreement agreement, IReadOnlyList<string> measurements, IReadOnlyList<CardSample> samples)
    {
        var (c, s, state) = (model.Config, model.Config.Model, model.State);
        var isStory = c.Data.Path is null;
        var text = new StringBuilder();
        void Line(FormattableString line) => text.Append(FormattableString.Invariant(line)).Append('\n');
        Line($"# {c.Name}");
        Line($"");
        Line($"{c.Description} Licence: {c.License}.");
        Line($"");
        Line($"| | |");
        Line($"|---|---|");
        Line($"| file | `{Path.GetFileName(modelFile)}`, {new FileInfo(modelFile).Length / 1e6:F1} MB, GGUF, {c.Export.Type.ToUpperInvariant()} |");
        Line($"| architecture | llama: RMSNorm, rotary positions, SwiGLU, tied embedding |");
        Line($"| parameters | {model.Layout.Length:N0} ({s.LayerCount} layers, width {s.HiddenSize}, {s.HeadCount} heads with {s.KeyValueHeadCount} key/value heads, feed-forward {s.FeedForwardSize}) |");
        Line($"| vocabulary | {s.VocabSize} byte-level BPE tokens {(c.StartFrom is null ? "learned from the corpus" : $"of `{Path.GetFileName(c.StartFrom)}`")}, {(double)train.TextBytes / train.Tokens.Length:F2} bytes a token |");
        Line($"| context | {s.ContextLength} tokens |");
        Line($"| trained on | {state.Tokens:N0} tokens in {state.Step:N0} steps, {state.Seconds / 60:F0} minutes on a shared machine with two cores ({state.Tokens / state.Seconds:N0} tokens/s) |");
        Line($"");
        Line($"## Data");
        Line($"");
        if (isStory)
            Line($"{train.Count:N0} generated documents with {train.Tokens.Length:N0} tokens ({train.TextBytes / 1e6:F0} MB), seed {c.Data.Seed}: stories told by a simulation of small worlds (`services/Training/Stories`), {c.Data.InstructFraction:P0} of them behind instructions (features, three required words, a summary, a sentence to include). No other text was used. Documents are packed without attending to each other.");
        else
            Line($"{train.Count:N0} documents of `{c.Data.Path}` with {train.Tokens.Length:N0} tokens ({train.TextBytes / 1e6:F0} MB), packed without attending to each other.");
        Line($"");
        Line($"## Training");
        Line($"");
        var t = c.Training;
        Line($"AdamW (β {t.Optimizer.Beta1}, {t.Optimizer.Beta2}; weight decay {t.Optimizer.WeightDecay} on matrices), batches of {t.BatchTokens:N0} tokens, gradient norm clipped at {t.Optimizer.MaxGradientNorm}, warm-up of {t.WarmupSteps} steps to a rate of {t.PeakLearningRate}, stable to step {state.DecayStart:N0}, then {t.Decay.ToString().ToLowerInvariant()} decay over {state.DecaySteps:N0} steps to {t.FinalRatio} of it. Products in {t.Precision.ToString().ToUpperInvariant()}, weights and moments in F32. {(c.StartFrom is null ? "Made again from nothing" : $"It began with the weights of `{Path.GetFileName(c.StartFrom)}`. Made again")} by `slm train pretrain --config infra/models/{c.Name}.yaml`.");
        Line($"");
        Line($"![Loss]({c.Name}.svg)");
        Line($"");
        Line($"## Validation");
        Line($"");
        Line($"{validationDocuments:N0} documents {(isStory ? "of another seed, none of them in the training set" : "held out")}, {loss.Tokens:N0} tokens, computed in F32:");
        Line($"");
        Line($"| loss (nats a token) | perplexity a token | perplexity a byte | bits a byte |");
        Line($"|---|---|---|---|");
        Line($"| {loss.Total / loss.Tokens:F4} | {loss.TokenPerplexity:F3} | {loss.BytePerplexity:F4} | {loss.BitsPerByte:F4} |");
        Line($"");
        Line($"The corpus comes from a grammar, so this is far below what natural text would give; it says how well the grammar was learned, not how good the stories are.");
        Line($"");
        Line($"Over {agreement.Tokens:N0} of these tokens, the largest difference between a logit of the engine and of the trainer is {agreement.F32:0.0E-0} for an export in F32, and {agreement.Shipped:0.0E-0} for this file.");
        Line($"");
        foreach (var section in measurements.Where(s => s.Length > 0))
            text.Append(section.TrimEnd()).Append("\n\n");
        if (!isStory)
        {
            text.Append(c.Export.Notes.Trim());
            return text.ToString().TrimEnd() + "\n";
        }

        Line($"## Use");
        Line($"");
        Line($"Plain: give the opening of a story. Instruct: lines of `Features: Dialogue, Twist`, `Words: dog, jump, red`, `Summary: …` or `Random sentence: …`, in any order, then a line `Story:`. The chat template makes such a prompt from the last user message: instructions and story openings stay as they are, anything else becomes a summary; system messages and earlier turns are ignored. Low temperatures (0.2 to 0.5) mix up fewer names and things than high ones.");
        Line($"");
        Line($"## Samples");
        Line($"");
        Line($"First answers, not selected.");
        foreach (var sample in samples)
        {
            Line($"");
            Line($"Prompt ({sample.Sampling}):");
            Line($"");
            Quote(text, sample.Prompt);
            Line($"");
            Line($"Model:");
            Line($"");
            Quote(text, sample.Text);
        }

        Line($"");
        Line($"## Limits");
        Line($"");
        Line($"It knows only the small worlds of its corpus: a few dozen kinds of plot, simple English, names and things from lists. It is no assistant, knows no facts and no other language. Prompts outside that world are bent into it; a required sentence is mostly missed, required words and a bad ending often; who has what can get mixed up in long stories. Texts beyond {s.ContextLength} tokens are not possible.");
        return text.ToString();
    }

    private static void Quote(StringBuilder text, string content)
    {
        foreach (var line in content.Trim().Split('\n'))
            text.Append(("> " + line).TrimEnd()).Append('\n');
    }
}
