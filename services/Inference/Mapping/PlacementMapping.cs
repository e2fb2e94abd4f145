using Slm.Contracts.Grains;
using Slm.Engine.Planning;
using Slm.Inference.Cluster;
using Slm.ServiceDefaults.Errors;
using Slm.V1;
using WireFormat = Slm.Engine.Wire.WireFormat;

namespace Slm.Inference.Mapping;

/// <summary>Placements of the contract as the planner takes and gives them.</summary>
internal static class PlacementMapping
{
    /// <summary>What is asked for.</summary>
    /// <exception cref="FieldException">The map is malformed, or a number is out of range.</exception>
    public static PlacementWish ToWish(Placement? placement)
    {
        if (placement is null)
            return PlacementWish.Auto;
        var labels = new Dictionary<string, string>(placement.Labels, StringComparer.Ordinal);
        if (placement.HasMap)
        {
            try
            {
                return PlacementWish.Parse(placement.Map) with { RequiredLabels = labels };
            }
            catch (PlacementException error)
            {
                throw new FieldException("placement.map", error.Message);
            }
        }

        return new PlacementWish
        {
            Stages = placement.HasStages ? placement.Stages : null,
            ExpertGroups = placement.HasExpertGroups ? placement.ExpertGroups : null,
            Replicas = placement.HasReplicas ? placement.Replicas : null,
            RequiredLabels = labels,
        };
    }

    /// <summary>What activations travel as: by default what changes no bit.</summary>
    public static WireFormat ToWire(Placement? placement) => (placement?.Wire ?? V1.WireFormat.Unspecified) switch
    {
        V1.WireFormat.Unspecified or V1.WireFormat.F32 => WireFormat.F32,
        V1.WireFormat.F16 => WireFormat.F16,
        V1.WireFormat.Q8 => WireFormat.Q8,
        var unknown => throw new FieldException("placement.wire", $"placement.wire is {(int)unknown}, which is not known."),
    };

    /// <summary>What the cost model says.</summary>
    public static V1.PlacementPrediction ToMessage(Placed placed)
    {
        var prediction = placed.Plan.Prediction;
        var message = new V1.PlacementPrediction
        {
            DecodeTokensPerSecond = prediction.DecodeTokensPerSecond,
            PrefillTokensPerSecond = prediction.PrefillTokensPerSecond,
            WireBytesPerToken = (long)prediction.WireBytesPerToken,
            Bottleneck = prediction.Bottleneck,
            Reasons = { placed.Plan.Reasons },
        };
        foreach (var (name, bytes) in prediction.MemoryBytes.OrderBy(m => m.Key, StringComparer.Ordinal))
            message.Memory.Add(new SiloMemory { SiloName = name, PlannedBytes = bytes, FreeBytes = placed.Silos.First(s => s.Name == name).FreeMemoryBytes });
        return message;
    }
}
