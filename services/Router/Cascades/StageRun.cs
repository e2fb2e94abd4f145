using Slm.Router.Models;
using Slm.Router.Policies;
using Slm.Router.Verification;
using Slm.V1;

namespace Slm.Router.Cascades;

/// <summary>What a stage made of a request.</summary>
/// <param name="Stage">The stage.</param>
/// <param name="Answer">Its last answer.</param>
/// <param name="Reading">The same, read.</param>
/// <param name="Trace">How it came about; its outcome is for the cascade to set.</param>
/// <param name="Passed">It passed its checks and the rule of acceptance.</param>
internal sealed record StageRun(StagePolicy Stage, ModelAnswer Answer, AnswerReading Reading, StageTrace Trace, bool Passed);
