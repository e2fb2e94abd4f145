using Slm.Router.Cascades;
using Slm.Router.Verification;
using Slm.V1;

namespace Slm.Router.Learning;

/// <summary>A case that was run.</summary>
/// <param name="Case">The case.</param>
/// <param name="Result">What the cascade made of it; null where it failed.</param>
/// <param name="Decision">The cascade's decision, of a failed one as far as it came.</param>
/// <param name="Stages">What each stage made of it, by its name; with all stages asked for also those the cascade did not need.</param>
internal sealed record CaseRun(SuiteCase Case, RoutedResult? Result, RouteDecision Decision, IReadOnlyDictionary<string, StageRun> Stages)
{
    public bool Correct => Result is not null && Case.IsCorrect(Result.Run.Answer.Text, Result.Run.Reading);

    public CaseResult ToResult()
    {
        AnswerReading? reading = Result?.Run.Reading;
        return new CaseResult
        {
            Id = Case.Id,
            Category = Case.Category,
            Text = Result?.Run.Answer.Text ?? "",
            Parses = reading?.Parses ?? false,
            Valid = reading?.Valid ?? false,
            Executable = reading?.Executable ?? false,
            Correct = Correct,
            Decision = Decision,
        };
    }
}
