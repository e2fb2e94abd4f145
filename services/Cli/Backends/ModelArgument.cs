using Slm.Engine.Formats;
using Slm.Runtime;

namespace Slm.Cli.Backends;

/// <summary>Which file <c>--model</c> means: a path that exists, else a name of the catalog.</summary>
internal static class ModelArgument
{
    /// <summary>The catalog of the folders in <c>Slm__Models</c>, else of the default folders.</summary>
    public static ModelCatalog Catalog() => Environment.GetEnvironmentVariable("Slm__Models") is { Length: > 0 } folders
        ? new ModelCatalog(folders.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        : ModelCatalog.Default();

    public static string Resolve(string model, string option = "--model")
    {
        if (File.Exists(model) || ModelSource.IsFolder(model))
            return model;
        var known = Catalog().List();
        if (known.FirstOrDefault(e => e.Name == model) is { } entry)
            return entry.Path;
        if (Directory.Exists(model))
            throw new CliException($"{option}: '{model}' is a folder without config.json. Give the path of a .gguf file, or of a folder with config.json and *.safetensors.");
        var names = known.Count == 0 ? "the model folders are empty" : "there are: " + string.Join(", ", known.Select(e => e.Name));
        throw new CliException($"{option}: '{model}' is neither a file nor the name of a model ({names}). Give a path, or a name that 'slm models' lists.");
    }

    /// <summary>Resolves a model that is to be run.</summary>
    public static string ResolveGguf(string model, string option = "--model")
    {
        var path = Resolve(model, option);
        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
            throw new ModelFormatException($"{option}: '{path}' is JSON, which has no weights. Give a GGUF file, or the folder with config.json and *.safetensors.");
        if (path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase))
            throw new ModelFormatException($"{option}: '{path}' has only weights. Give the folder that has it beside config.json.");
        return path;
    }
}
