using Slm.Contracts.Grains;
using Slm.Engine.Fetching;
using Slm.Engine.Models;
using Slm.Runtime;

namespace Slm.Inference.Engines;

/// <summary>The files for parts of models: the silo's own where it is the right one, else a copy with what the part needs.</summary>
internal sealed class PartFiles(SiloEngine engine, ModelFiles files, ModelCatalog catalog)
{
    /// <summary>Opens the file for a part. Dispose the lease, not the file.</summary>
    /// <exception cref="StatusException">The silo has another file of that name, or nobody gives it.</exception>
    /// <exception cref="ModelNotFoundException">It is to be the silo's own, which has none.</exception>
    public async Task<ModelLease> OpenAsync(string model, FileSource source, WeightSelection selection)
    {
        if (source.Root.Length == 0)
            return await Task.Run(() => engine.Open(model));
        var hold = await files.HoldAsync(source.Root, CancellationToken.None);
        try
        {
            var path = await files.PathAsync(new ModelFileNeed(model, source.Root, selection, source.Silos), progress: null, CancellationToken.None);
            if (catalog.List().Any(e => e.Name == model && e.Path == path))
            {
                hold.Dispose();
                return await Task.Run(() => engine.Open(model));
            }

            // A copy grows with every part that is fetched, and is opened with what it has now: it is not shared.
            return await Task.Run(() =>
            {
                var info = new FileInfo(path);
                var file = ModelFile.Open(path);
                return new ModelLease(new CatalogEntry(model, path, info.Length, info.LastWriteTimeUtc), file, () =>
                {
                    file.Dispose();
                    hold.Dispose();
                });
            });
        }
        catch
        {
            hold.Dispose();
            throw;
        }
    }
}
