using System.Globalization;
using Google.Rpc;
using Slm.Engine.Planning;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Mapping;

/// <summary>How placements that are not possible look to clients.</summary>
internal static class PlacementErrors
{
    /// <summary>Adds them to the map.</summary>
    public static void AddTo(ErrorMap map) => map.Add<PlacementException>(error => error.Fault switch
    {
        PlacementFault.BadWish or PlacementFault.UnknownMachine => ErrorMap.Make(
            Code.InvalidArgument, error.Message, ErrorMap.Field("placement", error.Message), ErrorMap.Info("INVALID_PLACEMENT", ("silo", error.Machine ?? ""))),
        PlacementFault.DoesNotFit => ErrorMap.Make(
            Code.FailedPrecondition, error.Message,
            ErrorMap.Info("PLACEMENT_DOES_NOT_FIT", ("silo", error.Machine ?? ""), ("missing_bytes", error.MissingBytes.ToString(CultureInfo.InvariantCulture)))),
        _ => ErrorMap.Make(Code.Internal, error.Message),
    });
}
