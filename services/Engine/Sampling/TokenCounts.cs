namespace Slm.Engine.Sampling;

/// <summary>
/// How often each token occurs in a sequence, for the penalties. A function of the tokens alone, so it can be rebuilt anywhere.
/// </summary>
public sealed class TokenCounts
{
    private readonly HashSet<int> _seen = [];
    private readonly Dictionary<int, int> _generated = [];

    /// <summary>Tokens of prompt and answer.</summary>
    public IReadOnlySet<int> Seen => _seen;

    /// <summary>Occurrences in the answer.</summary>
    public IReadOnlyDictionary<int, int> Generated => _generated;

    internal HashSet<int> SeenTokens => _seen;

    internal Dictionary<int, int> GeneratedTokens => _generated;

    /// <summary>Counts prompt tokens.</summary>
    public void AddPrompt(ReadOnlySpan<int> tokens)
    {
        foreach (var token in tokens)
            _seen.Add(token);
    }

    /// <summary>Counts a token of the answer.</summary>
    public void AddGenerated(int token)
    {
        _seen.Add(token);
        _generated[token] = _generated.GetValueOrDefault(token) + 1;
    }
}
