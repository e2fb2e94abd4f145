using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Scheduling;
using Slm.Engine.Tests.Formats;

namespace Slm.Engine.Tests.Adapters;

/// <summary>Three adapters of several ranks for a reference model: of every matrix that there is, or of half of them.</summary>
internal sealed class AdapterSet : IDisposable
{
    private static readonly int[] Ranks = [4, 9, 16];

    private readonly ModelFile _file;
    private readonly TemporaryFile[] _files;

    public AdapterSet(ModelFile file)
    {
        _file = file;
        var all = LoraFiles.Matrices(file.Source);
        _files = [.. Ranks.Select((rank, i) => LoraFiles.Write(
            file.Config.Architecture, LoraFiles.Random(file.Source, i == 1 ? all.Where((_, n) => n % 2 == 0) : all, rank, seed: 20 + i), 8 * rank))];
    }

    public static int Count => Ranks.Length;

    /// <summary>Opens the adapter of a slot, 1 to <see cref="Count"/>.</summary>
    public LoraAdapter Open(int slot) => LoraAdapter.Open(_files[slot - 1].Path, _file);

    /// <summary>Loads all into slots 1 to <see cref="Count"/>.</summary>
    public async Task LoadInto(LocalPipeline pipeline)
    {
        for (var slot = 1; slot <= Count; slot++)
        {
            using var adapter = Open(slot);
            await pipeline.LoadAdapterAsync(slot, adapter, CancellationToken.None);
        }
    }

    /// <summary>Loads all under the names "1" to <see cref="Count"/>.</summary>
    public async Task LoadInto(Scheduler scheduler)
    {
        for (var slot = 1; slot <= Count; slot++)
        {
            using var adapter = Open(slot);
            await scheduler.LoadAdapterAsync($"{slot}", adapter, CancellationToken.None);
        }
    }

    public void Dispose()
    {
        foreach (var file in _files)
            file.Dispose();
    }
}
