using Google.Rpc;
using Slm.Contracts.Grains;

namespace Slm.Inference.Engines;

/// <summary>What errors of the parts of a deployment say of the parts.</summary>
internal static class StageErrors
{
    /// <summary>Reason of a stage that cannot reach the one behind it.</summary>
    public const string NextLost = "NEXT_STAGE_LOST";

    /// <summary>Reason of a replica that has been moved: another one goes on with the answer.</summary>
    public const string Moved = "REPLICA_MOVED";

    /// <summary>
    /// True if the one that was called may be gone, false if it lives and says what is wrong: whatever is not a status came from the
    /// way there, and a stage without layers, or in another run, is not the one that was meant.
    /// </summary>
    public static bool MeansLost(Exception error) =>
        error is not StatusException status || (Code)status.Status.Code is Code.Unavailable or Code.Aborted;

    /// <summary>True if the error has the reason.</summary>
    public static bool Has(Exception error, string reason) =>
        error is StatusException status && status.Status.GetDetail<ErrorInfo>()?.Reason == reason;
}
