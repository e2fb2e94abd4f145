using Google.Rpc;
using Slm.Contracts.Grains;
using Slm.Engine.Fetching;
using Slm.Engine.Formats;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Engines;

/// <summary>
/// Finds the file for a part of a model: the silo's own, if it is the same as where the model is served from, else a sparse copy with
/// what the part needs, filled from silos that have the model or from a web server.
/// </summary>
internal sealed class ModelFiles(ModelCatalog catalog, ManifestStore manifests, ModelFetcher fetcher, ModelFilesOptions options, IGrainFactory grains, ILocalSiloDetails silo) : IDisposable
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(5);

    // Pauses are limited by the source; a large file takes as long as it takes.
    private readonly HttpClient _http = new(new SocketsHttpHandler()) { Timeout = Timeout.InfiniteTimeSpan };

    /// <summary>What a model of this silo is; the first call takes as long as reading its files.</summary>
    /// <exception cref="ModelNotFoundException">There is no such model here.</exception>
    public Task<ModelManifest> ManifestAsync(string model, CancellationToken cancellationToken) => manifests.GetAsync(catalog.Find(model).Path, progress: null, cancellationToken);

    /// <summary>Keeps what is fetched of a model until the result is disposed.</summary>
    public Task<IDisposable> HoldAsync(string root, CancellationToken cancellationToken) => fetcher.HoldAsync(root, cancellationToken);

    /// <summary>The path of a file that has what is needed, and has been checked against the root hash.</summary>
    /// <param name="need">What is needed.</param>
    /// <param name="progress">Told the bytes that are there of those that are needed.</param>
    /// <param name="cancellationToken">Ends a transfer; what has arrived stays.</param>
    /// <exception cref="StatusException">
    /// FAILED_PRECONDITION: the silo has another file of that name; UNAVAILABLE: no source gives it; UNIMPLEMENTED: it cannot be fetched in parts;
    /// RESOURCE_EXHAUSTED: the cache has no room for it.
    /// </exception>
    public async Task<string> PathAsync(ModelFileNeed need, IProgress<FetchProgress>? progress, CancellationToken cancellationToken)
    {
        if (catalog.List().FirstOrDefault(e => e.Name == need.Model) is { } entry)
        {
            var own = await manifests.GetAsync(entry.Path, progress: null, cancellationToken);
            return own.Root == need.Root ? entry.Path : throw Differs(need, Local, own.Root);
        }

        try
        {
            var peers = need.Silos.Where(s => s != Local).Select(s => new PeerSource(grains.GetGrain<IModelFilesGrain>(SiloKey.At(IModelFilesGrain.Name, s)), s, need.Model)).ToList();
            using var web = options.UrlOf(need.Model) is { } url ? new HttpSource(_http, url) : null;
            var manifest = fetcher.ManifestOf(need.Root) ?? await FindManifestAsync(need, peers, web, cancellationToken);
            return await FetchAsync(need, manifest, peers, web, progress, cancellationToken);
        }
        catch (FetchException error)
        {
            throw new StatusException(ErrorMap.Make(Code.Unavailable, error.Message, ErrorMap.Retry(RetryDelay), ErrorMap.Info("WEIGHTS_UNAVAILABLE", ("model", need.Model), ("root", need.Root))));
        }
        catch (WeightCacheFullException error)
        {
            throw new StatusException(ErrorMap.Make(
                Code.ResourceExhausted, $"{error.Message} The limit is Slm:Inference:WeightCacheBytes of silo {silo.Name}.",
                ErrorMap.Info("WEIGHT_CACHE_FULL", ("model", need.Model), ("silo", silo.Name), ("needed_bytes", $"{error.NeededBytes}"), ("limit_bytes", $"{error.LimitBytes}"))));
        }
        catch (NotSupportedException error)
        {
            throw new StatusException(ErrorMap.Make(Code.Unimplemented, error.Message, ErrorMap.Info("WEIGHTS_NOT_DIVISIBLE", ("model", need.Model))));
        }
    }

    public void Dispose() => _http.Dispose();

    private string Local => silo.SiloAddress.ToParsableString();

    private static StatusException Differs(ModelFileNeed need, string where, string root)
    {
        var served = need.Silos.Count > 0 ? $"on silo {need.Silos[0]}, where it is served from" : "where it is served from";
        return new StatusException(ErrorMap.Make(
            Code.FailedPrecondition,
            $"The model '{need.Model}' on silo {where} has the root hash {root}, and {need.Root} {served}: these are different files. Put the same file on both, or give them different names.",
            ErrorMap.Info("MODEL_FILES_DIFFER", ("model", need.Model), ("silo", where), ("root", root), ("expected_root", need.Root), ("served_from", need.Silos.Count > 0 ? need.Silos[0] : ""))));
    }

    /// <summary>Fetches from the silos, and what they do not give from the web server, which may be far away.</summary>
    private async Task<string> FetchAsync(ModelFileNeed need, ModelManifest manifest, List<PeerSource> peers, HttpSource? web, IProgress<FetchProgress>? progress, CancellationToken cancellationToken)
    {
        try
        {
            return await fetcher.FetchAsync(need.Model, manifest, need.Selection, peers, progress, cancellationToken);
        }
        catch (FetchException) when (web is not null)
        {
            return await fetcher.FetchAsync(need.Model, manifest, need.Selection, [web], progress, cancellationToken);
        }
    }

    /// <summary>The manifest with the expected root; a source that has another one is refused, one that has none is passed over.</summary>
    private static async Task<ModelManifest> FindManifestAsync(ModelFileNeed need, IReadOnlyList<PeerSource> peers, HttpSource? web, CancellationToken cancellationToken)
    {
        var reasons = new List<string>();
        (string Where, string Root)? other = null;
        foreach (var peer in peers)
        {
            try
            {
                var manifest = await peer.ManifestAsync(cancellationToken);
                if (manifest.Root == need.Root)
                    return manifest;
                other = (peer.Name["silo ".Length..], manifest.Root);
            }
            catch (Exception error) when (error is FetchException or ModelFormatException)
            {
                reasons.Add(error.Message);
            }
        }

        if (web is not null)
        {
            try
            {
                var manifest = await web.ManifestAsync(cancellationToken);
                if (manifest?.Root == need.Root)
                    return manifest;
                reasons.Add(manifest is null ? $"{web.Name} has no manifest beside it; 'slm manifest FILE --output FILE{HttpSource.ManifestSuffix}' writes one." : $"{web.Name} has the root hash {manifest.Root}.");
            }
            catch (Exception error) when (error is FetchException or ModelFormatException)
            {
                reasons.Add(error.Message);
            }
        }

        if (other is { } differing)
            throw Differs(need, differing.Where, differing.Root);
        throw new FetchException($"No source has the model '{need.Model}' with the root hash {need.Root}. {(reasons.Count > 0 ? string.Join(' ', reasons) : "No silo that has it is known, and Slm:Inference:WeightUrl is not set.")}");
    }
}
