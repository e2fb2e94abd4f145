using Orleans.Metadata;
using Orleans.Placement;

namespace Slm.Inference.Cluster;

/// <summary>The grain lives on the silo that its key names (<see cref="Contracts.Grains.SiloKey"/>).</summary>
[AttributeUsage(AttributeTargets.Class)]
internal sealed class OnSiloAttribute() : PlacementAttribute(new OnSiloPlacement())
{
    public override void Populate(IServiceProvider services, Type grainClass, GrainType grainType, Dictionary<string, string> properties)
    {
        base.Populate(services, grainClass, grainType, properties);
        properties[WellKnownGrainTypeProperties.GrainDirectory] = OnSiloDirectory.Name;
    }
}

/// <summary>The strategy behind <see cref="OnSiloAttribute"/>.</summary>
[GenerateSerializer, Immutable, SuppressReferenceTracking]
internal sealed class OnSiloPlacement : PlacementStrategy;
