using Slm.Contracts.Grains;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Inference.Engines;

/// <summary>
/// A model's stages behind grains, in order. Within a silo tokens and activations pass by reference; between silos they are
/// copied as 32-bit floats, so that every number of stages gives the same bits.
/// </summary>
internal sealed class GrainPipeline(ModelConfig config, StageSpec shape, IReadOnlyList<IStageGrain> stages) : IPipeline
{
    private static readonly Activations None = new(ReadOnlyMemory<float>.Empty);

    public ModelConfig Config => config;

    public int BlockSize => shape.BlockSize;

    public int BlockCount => shape.BlockCount;

    public int MaxStepTokens => shape.MaxStepTokens;

    public int StateSlots => shape.StateSlots;

    public KvType KvType { get; } = Enum.Parse<KvType>(shape.KvType);

    /// <summary>Set where the silo stops: its stages go by themselves, and grains cannot be reached any more.</summary>
    public bool IsSiloStopping { get; set; }

    public async ValueTask<ReadOnlyMemory<float>> ForwardAsync(StepBatch batch, StepOutput output, CancellationToken cancellationToken)
    {
        var first = StageSteps.ToRequest(batch, output);
        var activations = None;
        for (var s = 0; s < stages.Count; s++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var request = s == 0 ? first : first.With(activations);
            activations = (await stages[s].ForwardAsync(request)).Values;
        }
        return activations.Values;
    }

    public int AdapterSlots => Stage.AdapterSlots;

    public async ValueTask LoadAdapterAsync(int slot, LoraAdapter adapter, CancellationToken cancellationToken)
    {
        var spec = new StageAdapterSpec(slot, adapter.Name, adapter.Sha256, adapter.Strength);
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            var used = await Task.WhenAll(stages.Select(stage => stage.LoadAdapterAsync(spec)));
            adapter.RequireAllOf(used.SelectMany(names => names).ToHashSet(StringComparer.Ordinal), config);
        }
        catch
        {
            await UnloadAdapterAsync(slot);
            throw;
        }
    }

    public async ValueTask UnloadAdapterAsync(int slot)
    {
        if (IsSiloStopping)
            return;
        foreach (var stage in stages)
            await stage.UnloadAdapterAsync(slot);
    }

    public async ValueTask DisposeAsync()
    {
        if (IsSiloStopping)
            return;
        foreach (var stage in stages)
            await stage.UnloadAsync();
    }
}
