using Slm.Contracts.Grains;
using Slm.Engine.Adapters;

namespace Slm.Inference.Engines;

/// <content>Adapters, in every stage, and in every stage that replaces one.</content>
internal sealed partial class GrainPipeline
{
    public async ValueTask LoadAdapterAsync(int slot, LoraAdapter adapter, CancellationToken cancellationToken)
    {
        var spec = new StageAdapterSpec(slot, adapter.Name, adapter.Sha256, adapter.Strength);
        await _change.WaitAsync(cancellationToken);
        try
        {
            var used = await Task.WhenAll(_slots.Select(stage => stage.Grain.LoadAdapterAsync(spec)));
            adapter.RequireAllOf(used.SelectMany(names => names).ToHashSet(StringComparer.Ordinal), Config);
            _bound[slot] = spec;
        }
        catch
        {
            await UnbindAsync(slot);
            throw;
        }
        finally
        {
            _change.Release();
        }
    }

    public async ValueTask UnloadAdapterAsync(int slot)
    {
        if (IsSiloStopping)
            return;
        await _change.WaitAsync();
        try
        {
            _bound.Remove(slot);
            await UnbindAsync(slot);
        }
        finally
        {
            _change.Release();
        }
    }

    private async Task UnbindAsync(int slot)
    {
        foreach (var stage in _slots)
        {
            try
            {
                await stage.Grain.UnloadAdapterAsync(slot);
            }
            catch (Exception error) when (StageErrors.MeansLost(error))
            {
                // The stage is lost, and the one that replaces it does not get the adapter.
            }
        }
    }

    /// <summary>Gives new stages the adapters that the others have.</summary>
    private async Task BindAsync(IEnumerable<StageSlot> stages)
    {
        foreach (var stage in stages)
        {
            foreach (var spec in _bound.Values)
                await stage.Grain.LoadAdapterAsync(spec);
        }
    }
}
