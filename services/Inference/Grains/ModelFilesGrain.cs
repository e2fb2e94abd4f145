using Google.Rpc;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Slm.Contracts.Grains;
using Slm.Engine.Fetching;
using Slm.Inference.Cluster;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;

namespace Slm.Inference.Grains;

/// <summary>Gives the files of its silo's models to other silos, several parts at a time.</summary>
[Reentrant, OnSilo]
internal sealed partial class ModelFilesGrain(ModelCatalog catalog, ManifestStore manifests, IOptions<ErrorMap> errors, ILogger<ModelFilesGrain> logger) : Grain, IModelFilesGrain
{
    public Task<FilePart> ManifestAsync(string model) => GuardAsync(async () =>
        new FilePart((await manifests.GetAsync(catalog.Find(model).Path, progress: null, CancellationToken.None)).ToJson()));

    public Task<FilePart> ReadAsync(string model, string file, long offset, int count) => GuardAsync(async () =>
    {
        if (count is < 1 or > IModelFilesGrain.MaxReadBytes)
            throw GrainErrors.Refuse(Code.InvalidArgument, $"count is {count}; it must be in 1 to {IModelFilesGrain.MaxReadBytes}.");
        var entry = catalog.Find(model);
        var manifest = await manifests.GetAsync(entry.Path, progress: null, CancellationToken.None);

        // A name is only ever compared with the names of the manifest; it never becomes a path by itself.
        var known = manifest.Files.FirstOrDefault(f => f.Name == file) ?? (manifest.IsFolder ? null : manifest.Files[0])
            ?? throw GrainErrors.Refuse(Code.NotFound, $"The model '{model}' has no file '{file}'.");
        if (offset < 0 || offset > known.Length - count)
            throw GrainErrors.Refuse(Code.OutOfRange, $"'{known.Name}' has {known.Length} bytes; {count} from {offset} were to be read.");
        using var handle = File.OpenHandle(manifest.IsFolder ? Path.Combine(entry.Path, known.Name) : entry.Path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, FileOptions.Asynchronous);
        var bytes = GC.AllocateUninitializedArray<byte>(count);
        for (var done = 0; done < count;)
        {
            var read = await RandomAccess.ReadAsync(handle, bytes.AsMemory(done), offset + done);
            done += read > 0 ? read : throw GrainErrors.Refuse(Code.FailedPrecondition, $"'{known.Name}' was cut short while it was read.");
        }

        return new FilePart(bytes);
    });

    private Task<T> GuardAsync<T>(Func<Task<T>> work) => errors.Value.GuardAsync(work, error => LogFailed(logger, error, this.GetPrimaryKeyString()));

    [LoggerMessage(Level = LogLevel.Error, Message = "Model files of {Silo} cannot be read")]
    private static partial void LogFailed(ILogger logger, Exception error, string silo);
}
