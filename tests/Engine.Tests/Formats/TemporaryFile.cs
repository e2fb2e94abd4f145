namespace Slm.Engine.Tests.Formats;

/// <summary>A file in the temporary folder that goes with the test.</summary>
internal sealed class TemporaryFile : IDisposable
{
    public TemporaryFile()
    {
    }

    public TemporaryFile(ReadOnlySpan<byte> bytes) => File.WriteAllBytes(Path, bytes);

    public string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"{Guid.NewGuid():N}.gguf");

    public void Dispose() => File.Delete(Path);
}
