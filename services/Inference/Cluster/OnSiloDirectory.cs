using Orleans.GrainDirectory;
using Slm.Contracts.Grains;

namespace Slm.Inference.Cluster;

/// <summary>
/// Where grains with <see cref="OnSiloAttribute"/> are, which their keys say. The directory that Orleans spreads over all silos would
/// have to be asked for each of them, and the part of it that a silo holds does not answer while that silo is cut off and not yet given
/// up: nothing could be loaded meanwhile, and what lives would seem to be silent.
/// </summary>
internal sealed class OnSiloDirectory : IGrainDirectory
{
    /// <summary>What the grains' types call it.</summary>
    public const string Name = "on-silo";

    public Task<GrainAddress?> Lookup(GrainId grainId) => Task.FromResult<GrainAddress?>(new GrainAddress
    {
        GrainId = grainId,
        SiloAddress = SiloAddress.FromParsableString(SiloKey.SiloOf(grainId.Key.ToString()!)),

        // Older than any membership: a silo that is not a member is gone.
        MembershipVersion = MembershipVersion.MinValue,
    });

    public Task<GrainAddress?> Register(GrainAddress address) => Task.FromResult<GrainAddress?>(address);

    public Task Unregister(GrainAddress address) => Task.CompletedTask;

    public Task UnregisterSilos(List<SiloAddress> siloAddresses) => Task.CompletedTask;
}
