namespace Slm.Router.Policies;

/// <summary>The signals of answers and the features of requests, with the ranges that thresholds must be in.</summary>
internal static class SignalNames
{
    public const string MeanLogProb = "mean_logprob";
    public const string MinLogProb = "min_logprob";
    public const string Entropy = "entropy";
    public const string Consistency = "consistency";
    public const string PTrue = "p_true";

    public const string PromptTokens = "prompt_tokens";
    public const string PromptCharacters = "prompt_characters";
    public const string SchemaDifficulty = "schema_difficulty";
    public const string Tools = "tools";
    public const string Turns = "turns";
    public const string Numbers = "numbers";
    public const string DeadlineMs = "deadline_ms";
    public const string BudgetLeft = "budget_left";
    public const string Load = "load";
    public const string PrefixLocality = "prefix_locality";
    public const string Tenant = "tenant";

    /// <summary>Signals of answers: name, range, and whether more of it means a better answer.</summary>
    public static readonly IReadOnlyDictionary<string, (double Low, double High, bool MoreIsBetter)> Signals = new Dictionary<string, (double, double, bool)>(StringComparer.Ordinal)
    {
        [MeanLogProb] = (double.NegativeInfinity, 0, true),
        [MinLogProb] = (double.NegativeInfinity, 0, true),
        [Entropy] = (0, 1, false),
        [Consistency] = (0, 1, true),
        [PTrue] = (0, 1, true),
    };

    /// <summary>Features of requests, and their ranges.</summary>
    public static readonly IReadOnlyDictionary<string, (double Low, double High)> Features = new Dictionary<string, (double, double)>(StringComparer.Ordinal)
    {
        [PromptTokens] = (0, double.PositiveInfinity),
        [PromptCharacters] = (0, double.PositiveInfinity),
        [SchemaDifficulty] = (0, double.PositiveInfinity),
        [Tools] = (0, double.PositiveInfinity),
        [Turns] = (0, double.PositiveInfinity),
        [Numbers] = (0, double.PositiveInfinity),
        [DeadlineMs] = (0, double.PositiveInfinity),
        [BudgetLeft] = (0, double.PositiveInfinity),
        [Load] = (0, double.PositiveInfinity),
        [PrefixLocality] = (0, 1),
    };
}
