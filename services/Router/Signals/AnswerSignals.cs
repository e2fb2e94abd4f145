using Slm.Router.Policies;
using Slm.V1;

namespace Slm.Router.Signals;

/// <summary>
/// How sure a model was of its answer, from the log-probabilities of its tokens: those of the model itself, before a constraint's
/// mask. Tokens that the constraint forced are left out, since the model had no choice there.
/// </summary>
internal static class AnswerSignals
{
    /// <summary>Most probable tokens to ask for, so that the entropy is known but for the rest beyond them.</summary>
    public const int TopLogProbs = 20;

    /// <summary>The signals; none where there are no log-probabilities.</summary>
    /// <param name="tokens">The answer's tokens.</param>
    public static Dictionary<string, double> Of(IReadOnlyList<TokenLogProb> tokens)
    {
        var signals = new Dictionary<string, double>(StringComparer.Ordinal);
        var (sum, least, entropy, count) = (0.0, 0.0, 0.0, 0);
        foreach (var token in tokens)
        {
            if (!token.HasLogprob || token.Forced)
                continue;
            count++;
            sum += token.Logprob;
            least = Math.Min(least, token.Logprob);
            entropy += NormalizedEntropy(token);
        }

        if (count == 0)
            return signals;
        signals[SignalNames.MeanLogProb] = sum / count;
        signals[SignalNames.MinLogProb] = least;
        signals[SignalNames.Entropy] = entropy / count;
        return signals;
    }

    /// <summary>
    /// Entropy of the next token over that of a uniform choice among as many outcomes as are known, 0 to 1. What is beyond the most
    /// probable tokens counts as one more outcome, so this is never more than the entropy of the whole vocabulary.
    /// </summary>
    public static double NormalizedEntropy(TokenLogProb token)
    {
        if (token.Top.Count == 0)
            return 0;
        var (entropy, rest) = (0.0, 1.0);
        foreach (var top in token.Top)
        {
            var p = Math.Exp(top.Logprob);
            rest -= p;
            entropy -= p > 0 ? p * top.Logprob : 0;
        }

        if (rest > 0)
            entropy -= rest * Math.Log(rest);
        return Math.Clamp(entropy / Math.Log(token.Top.Count + 1), 0, 1);
    }

    /// <summary>The share of the samples that say the same as the answer.</summary>
    /// <param name="answer">In canonical form.</param>
    /// <param name="samples">In canonical form, at least one.</param>
    public static double Agreement(string answer, IReadOnlyCollection<string> samples) => (double)samples.Count(s => s == answer) / samples.Count;
}
