using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Engines;

/// <summary>What is to be loaded for the stages of a replica.</summary>
internal static class StageOrders
{
    /// <summary>The part of a model that goes to a place.</summary>
    /// <param name="shape">A stage of all layers.</param>
    /// <param name="place">Its layers, silo, and where their experts go.</param>
    /// <param name="stage">Its number.</param>
    /// <param name="config">The model.</param>
    /// <param name="wire">How rows travel to groups of experts.</param>
    /// <exception cref="FieldException">A group does not hold the same experts of all layers.</exception>
    public static StageOrder Of(StageSpec shape, StagePlace place, int stage, ModelConfig config, int wire)
    {
        var spec = shape with
        {
            Stage = stage,
            FirstLayer = place.FirstLayer,
            EndLayer = place.EndLayer,
            ExpertMemory = shape.ExpertMemory is { } memory ? (long)((decimal)memory * (place.EndLayer - place.FirstLayer) / config.LayerCount) : null,
        };
        if (place.Experts.Length == 0)
            return new StageOrder(spec, place.Silo, null, [], wire);
        var groups = place.Experts.Select(group => (Experts: Same(group), group.Silo)).ToArray();
        int[] local = [.. groups.Where(g => g.Silo == place.Silo).SelectMany(g => g.Experts).Order()];
        var visits = shape.MaxStepTokens * config.Experts!.UsedCount;
        return new StageOrder(
            spec, place.Silo, local,
            [.. groups.Where(g => g.Silo != place.Silo).Select(g => (
                new ExpertGroupSpec(shape.Model, shape.Source, place.FirstLayer, place.EndLayer, g.Experts, visits, Numerics.Arithmetic, shape.LeaseSeconds, shape.Replica), g.Silo))],
            wire);
    }

    /// <summary>The experts of a group, which are the same in every layer that has some.</summary>
    private static int[] Same(ExpertPlace group)
    {
        var layers = group.Experts.Where(layer => layer.Length > 0).ToArray();
        return layers.All(layer => layer.SequenceEqual(layers[0]))
            ? layers[0]
            : throw new FieldException("placement.map", "placement.map gives a group different experts in different layers of a stage. Give it the same ones, or split the stage where they change.");
    }
}
