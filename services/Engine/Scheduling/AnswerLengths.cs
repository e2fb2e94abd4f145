namespace Slm.Engine.Scheduling;

/// <summary>
/// Predicts how many tokens a request will still add, from its limit and a moving mean of recent answers. Read from any
/// thread, written by the scheduler's loop.
/// </summary>
internal sealed class AnswerLengths
{
    /// <summary>Of a model nobody has asked yet.</summary>
    private const double Initial = 64;

    /// <summary>What an answer that is longer than the mean is still given.</summary>
    private const int Overrun = 16;

    private double _mean = Initial;

    /// <summary>Mean length of recent answers.</summary>
    public double Mean => Volatile.Read(ref _mean);

    /// <summary>Learns from an answer that has ended.</summary>
    public void Add(int tokens) => Volatile.Write(ref _mean, _mean + (0.1 * (tokens - _mean)));

    /// <summary>Tokens that the sequence is expected to add to those it has.</summary>
    public int Remaining(Sequence sequence) =>
        (int)Math.Min(sequence.MostNewTokens, Math.Max(Overrun, Math.Ceiling(Mean) - (sequence.Count - sequence.PromptLength)));
}
