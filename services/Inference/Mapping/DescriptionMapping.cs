using Slm.Contracts.Grains;
using Slm.Inference.Engines;
using Slm.V1;

namespace Slm.Inference.Mapping;

/// <summary>What a replica says of itself, and how several together describe their deployment.</summary>
internal static class DescriptionMapping
{
    /// <summary>Stages, memory and load of a replica.</summary>
    public static ModelDescription Of(Deployment deployment, ReplicaSpec spec, string fingerprint)
    {
        var stats = deployment.Model.Stats;
        var description = new ModelDescription
        {
            SystemFingerprint = fingerprint,
            Memory = new MemoryUse
            {
                WeightBytes = deployment.Stages.Sum(s => s.Info.WeightBytes),
                KvBytesPerToken = deployment.Stages.Sum(s => s.Info.KvBytesPerToken),
                StateBytesPerSequence = deployment.Stages.Sum(s => s.Info.StateBytes),
                KvCapacityBytes = deployment.KvCapacityBytes,
                KvUsedBytes = stats.KvBlocksTotal == 0 ? 0 : deployment.KvCapacityBytes / stats.KvBlocksTotal * stats.KvBlocksUsed,
            },
            Load = new LoadFigures
            {
                RunningSequences = stats.Running,
                WaitingSequences = stats.Waiting,
                KvOccupancy = stats.KvOccupancy,
                GeneratedTokens = stats.GeneratedTokens,
                PromptTokens = stats.PromptTokens,
                PrefixHitRate = stats.PrefixHitRate,
                DraftAcceptanceRate = stats.AcceptanceRate,
                Recoveries = stats.Recoveries,
            },
        };
        foreach (var slot in deployment.Stages)
        {
            var placement = new StagePlacement
            {
                Replica = spec.Replica,
                Stage = slot.Spec.Stage,
                FirstLayer = slot.Info.FirstLayer,
                EndLayer = slot.Info.EndLayer,
                Silo = slot.Info.Silo,
                SiloName = slot.Info.SiloName,
                WeightBytes = slot.Info.WeightBytes,
                HasEmbedding = slot.Info.HasEmbedding,
                HasHead = slot.Info.HasHead,
            };
            placement.ExpertGroups.AddRange(slot.Experts.Select((group, index) => new ExpertGroupPlacement
            {
                Group = index,
                Silo = group.Info.Silo,
                SiloName = group.Info.SiloName,
                WeightBytes = group.Info.WeightBytes,
                Experts = { group.Info.Experts },
            }));
            description.Stages.Add(placement);
        }

        return description;
    }

    /// <summary>Adds a replica's description to that of its deployment: sums, and of rates the mean over those that have one.</summary>
    public static void AddReplica(this ModelDescription whole, ModelDescription replica)
    {
        whole.SystemFingerprint = replica.SystemFingerprint;
        whole.Stages.AddRange(replica.Stages);
        if (whole.Memory is null)
        {
            (whole.Memory, whole.Load) = (replica.Memory, replica.Load);
            return;
        }

        whole.Memory.WeightBytes += replica.Memory.WeightBytes;
        whole.Memory.KvCapacityBytes += replica.Memory.KvCapacityBytes;
        whole.Memory.KvUsedBytes += replica.Memory.KvUsedBytes;
        var (load, more) = (whole.Load, replica.Load);
        load.PrefixHitRate = Mean(load.PrefixHitRate, load.PromptTokens, more.PrefixHitRate, more.PromptTokens);
        load.DraftAcceptanceRate = Mean(load.DraftAcceptanceRate, load.GeneratedTokens, more.DraftAcceptanceRate, more.GeneratedTokens);
        load.RunningSequences += more.RunningSequences;
        load.WaitingSequences += more.WaitingSequences;
        load.GeneratedTokens += more.GeneratedTokens;
        load.PromptTokens += more.PromptTokens;
        load.Recoveries += more.Recoveries;
        load.KvOccupancy = whole.Memory.KvCapacityBytes == 0 ? 0 : (double)whole.Memory.KvUsedBytes / whole.Memory.KvCapacityBytes;
    }

    private static double Mean(double a, long weightA, double b, long weightB) =>
        weightA + weightB == 0 ? 0 : ((a * weightA) + (b * weightB)) / (weightA + weightB);
}
