using Google.Rpc;
using Slm.Contracts.Grains;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Grains;

/// <summary>Errors in the form in which they leave a grain.</summary>
internal static class GrainErrors
{
    /// <summary>Does a call's work and turns what it throws into a status, so that nothing of a silo's own types has to travel.</summary>
    /// <param name="errors">What exceptions mean.</param>
    /// <param name="work">The work.</param>
    /// <param name="failed">Told what means INTERNAL, of which callers learn nothing.</param>
    /// <param name="passCancellation">True where callers cancel, and know what that is.</param>
    public static async Task<T> GuardAsync<T>(this ErrorMap errors, Func<Task<T>> work, Action<Exception> failed, bool passCancellation = false)
    {
        try
        {
            return await work();
        }
        catch (Exception error) when (error is not StatusException && !(passCancellation && error is OperationCanceledException))
        {
            var status = errors.ToStatus(error);
            if (status.Code == (int)Code.Internal)
                failed(error);
            throw new StatusException(status);
        }
    }

    /// <summary>A refusal.</summary>
    public static StatusException Refuse(Code code, string message) => new(ErrorMap.Make(code, message));

    /// <summary>The silo would compute other bits than the pipeline that wants a part of it there.</summary>
    public static StatusException OtherNumerics(ILocalSiloDetails silo, string own, string pipeline) => Refuse(
        Code.FailedPrecondition,
        $"Silo {silo.Name} ({silo.SiloAddress}) computes as '{own}', the pipeline as '{pipeline}': their numbers would differ. Run the same version on both, or place the model on silos that are alike.");
}
