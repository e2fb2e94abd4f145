using Slm.Contracts.Grains;
using Slm.Engine.Fetching;

namespace Slm.Inference.Engines;

/// <summary>A model on another silo.</summary>
/// <param name="grain">The files of that silo.</param>
/// <param name="silo">What errors call it.</param>
/// <param name="model">Name of the model.</param>
internal sealed class PeerSource(IModelFilesGrain grain, string silo, string model) : IChunkSource
{
    public string Name => $"silo {silo}";

    public int MaxReads => 4;

    /// <summary>What the model is there.</summary>
    /// <exception cref="FetchException">The silo does not have it or does not answer.</exception>
    /// <exception cref="Engine.Formats.ModelFormatException">What it sends is malformed.</exception>
    public async Task<ModelManifest> ManifestAsync(CancellationToken cancellationToken) =>
        ModelManifest.Parse((await AskAsync(() => grain.ManifestAsync(model), cancellationToken)).Bytes, Name);

    public async Task ReadAsync(string file, long position, Memory<byte> target, CancellationToken cancellationToken)
    {
        for (var done = 0; done < target.Length;)
        {
            var count = Math.Min(IModelFilesGrain.MaxReadBytes, target.Length - done);
            var start = position + done;
            var part = await AskAsync(() => grain.ReadAsync(model, file, start, count), cancellationToken);
            if (part.Bytes.Length != count)
                throw new FetchException($"{Name} sent {part.Bytes.Length} bytes of '{file}' where {count} were asked for.");
            part.Bytes.CopyTo(target[done..]);
            done += count;
        }
    }

    private async Task<T> AskAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call().WaitAsync(cancellationToken);
        }
#pragma warning disable CA1031 // Whatever is wrong with the other silo, the next source may have the model.
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            throw new FetchException($"{Name} does not give the model '{model}': {error.Message}", error);
        }
    }
}
