using System.Globalization;
using Slm.Cli.Commands;
using Slm.Engine.Adapters;
using Slm.Engine.Models;
using Slm.Runtime;

namespace Slm.Cli.Backends;

/// <summary>What <c>--adapter FILE[=scale]</c> means: a file or folder that exists, else a name of the adapter folders.</summary>
/// <param name="Path">The file or folder; of a remote adapter its name.</param>
/// <param name="Strength">Factor on top of the file's own scale.</param>
internal sealed record AdapterArgument(string Path, float Strength)
{
    /// <summary>Reads an argument for a model in this process.</summary>
    public static AdapterArgument? Local(string? argument)
    {
        if (argument is null)
            return null;
        if (Find(argument) is { } whole)
            return new AdapterArgument(whole, 1);
        var at = argument.LastIndexOf('=');
        if (at > 0 && float.TryParse(argument.AsSpan(at + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out var strength) && float.IsFinite(strength))
            return new AdapterArgument(Find(argument[..at]) ?? throw Missing(argument[..at]), strength);
        throw at > 0 && Find(argument[..at]) is not null
            ? new CliException($"--adapter: '{argument[(at + 1)..]}' is no scale. Give a number, such as {argument[..at]}=0.5.")
            : Missing(argument);
    }

    /// <summary>Opens it for a model.</summary>
    public LoraAdapter Open(ModelFile model) => LoraAdapter.Open(Path, model, Strength);

    private static string? Find(string name) => File.Exists(name) || Directory.Exists(name) ? name
        : new AdapterCatalog(ModelArgument.Catalog()).List().FirstOrDefault(a => a.Name == name)?.Path;

    private static CliException Missing(string name)
    {
        var known = new AdapterCatalog(ModelArgument.Catalog()).List();
        var names = known.Count == 0 ? "the adapter folders are empty" : "there are: " + string.Join(", ", known.Select(a => a.Name));
        return new CliException($"--adapter: '{name}' is neither a file or folder nor the name of an adapter ({names}). Give the path of a GGUF file or of a PEFT folder.");
    }
}
