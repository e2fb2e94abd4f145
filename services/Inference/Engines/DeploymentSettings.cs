using System.Globalization;
using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Speculation;
using Slm.Inference.Mapping;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Inference.Engines;

/// <summary>How a model is to be loaded; null leaves the choice to the service.</summary>
internal sealed record DeploymentSettings(Placement? Placement, int? ContextLength, long? KvCacheBytes, SpeculationKind? Speculation, string? DraftModel, KvType? KvType, bool? RoundedResidual)
{
    private const int BlockSize = 32;

    /// <summary>Reads a request.</summary>
    public static DeploymentSettings From(LoadModelRequest request) => new(
        request.Placement is { } placement && placement.CalculateSize() > 0 ? placement : null,
        request.HasContextLength ? request.ContextLength : null,
        request.HasKvCacheBytes ? request.KvCacheBytes : null,
        RequestMapping.ToSpeculation(request.Speculation, "speculation"),
        request.HasDraftModel ? request.DraftModel : null,
        ToKvType(request.KvCacheType),
        request.HasRoundedResidual ? request.RoundedResidual : null);

    /// <summary>True if a model loaded with <paramref name="loaded"/> is what this asks for.</summary>
    public bool IsMetBy(DeploymentSettings loaded) =>
        (Placement is null || Placement.Equals(loaded.Placement ?? new Placement { Stages = 1 }))
        && (ContextLength is null || ContextLength == loaded.ContextLength)
        && (KvCacheBytes is null || KvCacheBytes == loaded.KvCacheBytes)
        && (Speculation is null || Speculation == loaded.Speculation)
        && (DraftModel is null || DraftModel == loaded.DraftModel)
        && (KvType is null || KvType == loaded.KvType)
        && (RoundedResidual is null || RoundedResidual == (loaded.RoundedResidual ?? false));

    /// <summary>Checks the settings against a model and decides what all of its stages have in common.</summary>
    /// <returns>A stage of all layers.</returns>
    /// <exception cref="FieldException">A setting does not fit the model.</exception>
    public StageSpec Shape(CatalogEntry entry, ModelFile file, InferenceOptions options)
    {
        var config = file.Config;
        if (Placement is { HasStages: true } placement && (placement.Stages < 1 || placement.Stages > config.LayerCount))
            throw Refuse("placement.stages", placement.Stages, $"from 1 to {config.LayerCount}, the number of layers of '{entry.Name}'");
        if (Placement is { HasReplicas: true, Replicas: < 1 or > MostReplicas } copies)
            throw Refuse("placement.replicas", copies.Replicas, $"from 1 to {MostReplicas}");
        if (Placement is { HasMap: true } map && (map.HasStages || map.HasExpertGroups || map.HasReplicas))
            throw new FieldException("placement.map", "placement.map says where everything goes; leave stages, expert_groups and replicas out.");
        if (ContextLength is { } context && (context < 1 || context > config.ContextLength))
            throw Refuse("context_length", context, $"from 1 to {config.ContextLength}, what '{entry.Name}' was made for");
        if (Speculation == SpeculationKind.Draft && DraftModel is null)
            throw new FieldException("draft_model", "draft_model must name a model where speculation is SPECULATION_DRAFT.");
        var longest = config with { ContextLength = ContextLength ?? config.ContextLength };
        var type = KvType ?? options.KvType ?? file.KvType;
        var least = CachePlan.LeastBytes(config, BlockSize, type);
        var bytes = KvCacheBytes ?? options.KvCacheBytes;
        if (bytes < least)
            throw Refuse("kv_cache_bytes", bytes, $"at least {least}, which hold {BlockSize} tokens of '{entry.Name}'");
        var plan = CachePlan.For(longest, BlockSize, type, bytes, options.MaxRunning);
        return new StageSpec(
            entry.Name, FileSource.Own, 0, config.LayerCount, BlockSize, plan.BlockCount, longest.StepTokens(options.MaxStepTokens), plan.StateSlots, type.ToString(),
            options.ExpertMemory, Numerics.Fingerprint(type, RoundedResidual ?? false), (int)options.Pipeline.Lease.TotalSeconds, 0, 0, RoundedResidual ?? false, null);
    }

    private const int MostReplicas = 1024;

    private static KvType? ToKvType(KvCacheType type) => type switch
    {
        KvCacheType.Unspecified => null,
        KvCacheType.F32 => Engine.Execution.KvType.F32,
        KvCacheType.Q16 => Engine.Execution.KvType.Q16,
        KvCacheType.Q8 => Engine.Execution.KvType.Q8,
        _ => throw new FieldException("kv_cache_type", $"kv_cache_type is {(int)type}, which is not known."),
    };

    private static FieldException Refuse(string field, long value, string rule) =>
        new(field, string.Create(CultureInfo.InvariantCulture, $"{field} must be {rule}, but is {value}."));
}
