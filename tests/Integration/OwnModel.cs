namespace Slm.Integration;

/// <summary>A copy of a reference model under a name that nothing else has: meters are the process's, in which other tests run as well.</summary>
internal sealed class OwnModel : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("slm-own-").FullName;

    /// <param name="origin">Name of the reference model.</param>
    public OwnModel(string origin)
    {
        Name = $"{origin}-{Guid.NewGuid():n}";
        File.Copy(ReferenceModel.PathOf(origin), Path.Combine(_folder, $"{Name}.gguf"));
    }

    public string Name { get; }

    /// <summary>For silos that find it, and no others.</summary>
    public (string Key, string Value) Setting => ("Slm:Models", _folder);

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
