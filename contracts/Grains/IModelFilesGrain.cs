namespace Slm.Contracts.Grains;

/// <summary>
/// The model files of one silo, for silos that lack them, keyed by <see cref="Name"/>, <c>@</c> and the silo's parsable address. Only
/// files of models in the silo's catalog are given. Calls fail with <see cref="StatusException"/>.
/// </summary>
[Alias("slm.model-files")]
public interface IModelFilesGrain : IGrainWithStringKey
{
    /// <summary>Name of the grain in its key.</summary>
    const string Name = "model-files";

    /// <summary>Most bytes of one <see cref="ReadAsync"/>.</summary>
    const int MaxReadBytes = 4 << 20;

    /// <summary>The hashes of a model's files, as the JSON document that <c>slm manifest</c> writes; computed by the first call, which takes as long as reading them.</summary>
    /// <param name="model">Name of the model.</param>
    [Alias("manifest"), ResponseTimeout("01:00:00")]
    Task<FilePart> ManifestAsync(string model);

    /// <summary>Bytes of a file as they are; whoever asked checks them against the manifest.</summary>
    /// <param name="model">Name of the model.</param>
    /// <param name="file">Name of the file in its manifest.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="count">How many, 1 to <see cref="MaxReadBytes"/>; all of them are in the file.</param>
    [Alias("read"), ResponseTimeout("00:01:00")]
    Task<FilePart> ReadAsync(string model, string file, long offset, int count);
}

/// <summary>Bytes on their way between silos; whoever sends them does not change them any more.</summary>
/// <param name="Bytes">The bytes.</param>
[GenerateSerializer, Immutable, Alias("slm.file-part")]
public sealed record FilePart([property: Id(0)] byte[] Bytes);
