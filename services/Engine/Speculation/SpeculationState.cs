namespace Slm.Engine.Speculation;

/// <summary>
/// What one sequence speculates: its proposal for the next step, and how many tokens are worth proposing. The number
/// doubles while all are accepted and falls to what was accepted; after proposals that were all wrong there is a break that
/// doubles too. It depends on the tokens alone.
/// </summary>
internal sealed class SpeculationState(SpeculationKind kind, int most, int[]? given = null)
{
    private const int First = 4;
    private const int LongestBreak = 32;

    private readonly int[] _proposal = new int[most];
    private int _limit = Math.Min(First, most);
    private int _break;
    private int _failures;
    private int _count;

    public SpeculationKind Kind { get; } = kind;

    /// <summary>Tokens that came with the request to be proposed, instead of what the kind would propose; null: none.</summary>
    public int[]? Given { get; } = given;

    /// <summary>Tokens proposed for the next step.</summary>
    public ReadOnlySpan<int> Proposal => _proposal.AsSpan(0, _count);

    /// <summary>Most tokens to propose now.</summary>
    public int Limit => _break > 0 ? 0 : _limit;

    /// <summary>Tokens proposed and accepted so far.</summary>
    public int Drafted { get; private set; }

    public int Accepted { get; private set; }

    /// <summary>KV blocks in the draft model, and how many of the sequence's first tokens they hold.</summary>
    public List<int> Blocks { get; } = [];

    public int Computed { get; set; }

    /// <summary>Room for a proposal of up to <paramref name="count"/> tokens; say with <see cref="Keep"/> how many there are.</summary>
    public Span<int> Room(int count) => _proposal.AsSpan(0, count);

    public void Keep(int count) => _count = count;

    /// <summary>Takes the result of a step.</summary>
    /// <param name="proposed">Tokens that were checked.</param>
    /// <param name="accepted">Those of them that were right.</param>
    public void Learn(int proposed, int accepted)
    {
        _count = 0;
        if (proposed == 0)
        {
            if (_break > 0)
                _break--;
            return;
        }

        Drafted += proposed;
        Accepted += accepted;
        _limit = accepted == proposed ? Math.Min(_proposal.Length, Math.Max(_limit, 2 * proposed)) : accepted + 1;
        _failures = accepted == 0 ? _failures + 1 : 0;
        _break = _failures < 2 ? 0 : Math.Min(LongestBreak, 1 << (_failures - 1));
    }
}
