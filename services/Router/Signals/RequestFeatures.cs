using Slm.Router.Policies;
using Slm.V1;

namespace Slm.Router.Signals;

/// <summary>What is known of a request before anything is generated.</summary>
internal static class RequestFeatures
{
    /// <summary>English text has about four characters in a token; used where the prompt is not given as tokens.</summary>
    private const double CharactersPerToken = 4;

    /// <summary>The features by name; the deadline and the budget only where there are any.</summary>
    public static Dictionary<string, double> Of(GenerateRequest request, RoutePolicy policy, TimeSpan? timeLeft, double? budgetLeft)
    {
        var text = Text(request);
        var tokens = request.PromptCase == GenerateRequest.PromptOneofCase.TokenIds ? request.TokenIds.Ids.Count : Math.Ceiling(text.Length / CharactersPerToken);
        var features = new Dictionary<string, double>(StringComparer.Ordinal)
        {
            [SignalNames.PromptTokens] = tokens,
            [SignalNames.PromptCharacters] = text.Length,
            [SignalNames.SchemaDifficulty] = policy.Schema?.Difficulty ?? 0,
            [SignalNames.Tools] = policy.Tools.Count,
            [SignalNames.Turns] = request.PromptCase == GenerateRequest.PromptOneofCase.Messages ? request.Messages.Messages_.Count : 1,
            [SignalNames.Numbers] = CountNumbers(text),
        };
        if (timeLeft is { } time)
            features[SignalNames.DeadlineMs] = Math.Max(0, time.TotalMilliseconds);
        if (budgetLeft is { } budget)
            features[SignalNames.BudgetLeft] = Math.Max(0, budget);
        return features;
    }

    /// <summary>The prompt as text, messages one after the other.</summary>
    public static string Text(GenerateRequest request) => request.PromptCase switch
    {
        GenerateRequest.PromptOneofCase.Text => request.Text,
        GenerateRequest.PromptOneofCase.Messages => string.Join('\n', request.Messages.Messages_.Select(m => m.Content)),
        _ => "",
    };

    private static int CountNumbers(string text)
    {
        var count = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsAsciiDigit(text[i]) && (i == 0 || !char.IsAsciiDigit(text[i - 1])))
                count++;
        }

        return count;
    }
}
