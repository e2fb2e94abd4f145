using Slm.Training.Configuration;

namespace Slm.Training.Commands;

/// <summary>Files of a run's folder.</summary>
internal sealed class RunFolder(string path)
{
    /// <summary>The folder.</summary>
    public string Path { get; } = path;

    /// <summary>The configuration the run was started with.</summary>
    public string Config => In("config.yaml");

    /// <summary>The trained vocabulary.</summary>
    public string Tokenizer => In("tokenizer.json");

    /// <summary>Encoded documents held out.</summary>
    public string Validation => In("validation.bin");

    /// <summary>Weights and moments at the end.</summary>
    public string FinalCheckpoint => In("final.ckpt");

    /// <summary>The newest checkpoint, or null.</summary>
    public string? NewestCheckpoint => Directory.Exists(Path) ? Directory.EnumerateFiles(Path, "*.ckpt").MaxBy(File.GetLastWriteTimeUtc) : null;

    /// <summary>The model file.</summary>
    public string Model(PretrainConfig config) => In($"{config.Name}.gguf");

    /// <summary>Reads the configuration.</summary>
    public PretrainConfig ReadConfig() => PretrainConfigReader.ReadFile(Config);

    private string In(string name) => System.IO.Path.Combine(Path, name);
}
