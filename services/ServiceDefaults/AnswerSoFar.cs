using System.Text;
using Slm.V1;

namespace Slm.ServiceDefaults;

/// <summary>
/// What has come of an answer, and the request for the rest of it: whoever takes over goes on behind it, with no token lost, repeated or
/// changed. The seed is drawn here where the request has none, so that anybody makes the same answer.
/// </summary>
/// <param name="request">What was asked; stays as it is.</param>
/// <param name="time">Clock of the request's time.</param>
public sealed class AnswerSoFar(GenerateRequest request, TimeProvider time)
{
    private readonly long _begun = time.GetTimestamp();

    // Below 2^53, so that the reported seed survives JSON numbers.
    private readonly ulong _seed = request.Sampling is { HasSeed: true } sampling ? sampling.Seed : (ulong)Random.Shared.NextInt64(1L << 53);
    private readonly List<int> _tokens = [.. request.ResumeTokenIds];
    private int _textBytes = request.ResumeTextBytes;
    private bool _hasPrompt, _asked;

    /// <summary>What is left of the request's time; null if it has no limit.</summary>
    public TimeSpan? TimeLeft => request.Scheduling is { HasTimeoutMs: true } terms ? TimeSpan.FromMilliseconds(terms.TimeoutMs) - time.GetElapsedTime(_begun) : null;

    /// <summary>Notes a piece; false if it is the echoed prompt once more, which is not to be passed on.</summary>
    public bool Take(GenerateResponse piece)
    {
        ArgumentNullException.ThrowIfNull(piece);
        if (piece.IsPrompt)
        {
            var isNew = !_hasPrompt;
            _hasPrompt = true;
            return isNew;
        }

        _tokens.AddRange(piece.TokenIds);
        _textBytes += Encoding.UTF8.GetByteCount(piece.Text);
        return true;
    }

    /// <summary>The request for what is missing, within the time that is left; a message of its own each time.</summary>
    public GenerateRequest Rest()
    {
        var rest = request.Clone();
        (rest.Sampling ??= new SamplingOptions()).Seed = _seed;
        rest.ResumeTokenIds.Clear();
        rest.ResumeTokenIds.AddRange(_tokens);
        rest.ResumeTextBytes = _textBytes;
        // Whoever is asked first checks what the client has given.
        if (_asked && TimeLeft is { } left)
            rest.Scheduling.TimeoutMs = Math.Max(1, (long)left.TotalMilliseconds);
        _asked = true;
        return rest;
    }
}
