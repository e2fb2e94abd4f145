using Orleans.Runtime.Placement;
using Slm.Contracts.Grains;

namespace Slm.Inference.Cluster;

/// <summary>Puts a grain on the silo that its key names, or nowhere: where that silo is gone, the call fails.</summary>
internal sealed class OnSiloDirector : IPlacementDirector
{
    public Task<SiloAddress> OnAddActivation(PlacementStrategy strategy, PlacementTarget target, IPlacementContext context)
    {
        var silo = SiloAddress.FromParsableString(SiloKey.SiloOf(target.GrainIdentity.Key.ToString()!));
        return context.GetCompatibleSilos(target).Contains(silo)
            ? Task.FromResult(silo)
            : throw new SiloUnavailableException($"Silo {silo} is not a member of the cluster any more.");
    }
}
