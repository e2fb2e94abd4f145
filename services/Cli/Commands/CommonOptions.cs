using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Slm.Engine.Execution;
using Slm.Engine.Planning;
using Slm.Engine.Speculation;
using Slm.Engine.Wire;

namespace Slm.Cli.Commands;

/// <summary>Options that several commands share. Each command makes its own instances.</summary>
internal static class CommonOptions
{
    public static Option<string> Model() => new("--model", "-m")
    {
        Description = "Path of a GGUF file, or the name of a model in the model folders.",
        HelpName = "FILE|NAME",
        Required = true,
    };

    public static Option<Uri?> Endpoint() => new("--endpoint", "-e")
    {
        Description = "gRPC address of a running platform, such as http://127.0.0.1:8081; without it the model runs in this process.",
        HelpName = "URL",
        CustomParser = ParseEndpoint,
    };

    /// <summary>For commands that only a running platform understands.</summary>
    public static Option<Uri> Platform() => new("--endpoint", "-e")
    {
        Description = "gRPC address of a running platform.",
        HelpName = "URL",
        CustomParser = result => ParseEndpoint(result)!,
        DefaultValueFactory = _ => new Uri("http://127.0.0.1:8081"),
    };

    public static Argument<string> PlatformModel() => new("MODEL") { Description = "Name of the model, as 'slm models --endpoint URL' has it." };

    public static Option<PlacementWish?> Placement() => new("--placement")
    {
        Description = "auto (default), or stages=N, experts=G (groups of experts), replicas=R and label:NAME=VALUE separated by commas, or a map such as \"0-7@a,8-15@b;experts:0-15@c,16-31@d\"; '|' separates replicas.",
        HelpName = "WISH",
        CustomParser = ParseWish,
    };

    public static Option<WireFormat> Wire(WireFormat standard) => new("--wire")
    {
        Description = "What activations travel as between silos: f32 (the bits of a single process), f16 or q8.",
        HelpName = "f32|f16|q8",
        CustomParser = ParseWire,
        DefaultValueFactory = _ => standard,
    };

    public static Option<long?> Size(string name, string description) => new(name) { Description = description, HelpName = "SIZE", CustomParser = ParseSize };

    public static Option<bool> Json() => new("--json") { Description = "One JSON document on standard output and nothing else." };

    public static Option<int?> Threads() => Positive("--threads", "Threads that compute; default one per processor.", 1024);

    public static Option<int?> Context() => Positive("--context", "Longest prompt and answer, in tokens; default the model's own.", int.MaxValue);

    public static Option<int?> Stages() => Positive("--stages", "Pipeline stages the layers are split into; the answer does not depend on it.", 1024);

    public static Option<string?> Adapter() => new("--adapter")
    {
        Description = "A LoRA adapter: a GGUF file, a PEFT folder, or a name in the adapter folders, with =N at its end for N times its strength; with --endpoint the name of one that is loaded there.",
        HelpName = "FILE[=N]",
    };

    public static Option<string?> DraftModel() => new("--draft-model")
    {
        Description = "A smaller model with the same vocabulary, which proposes tokens for the model to check; the answer does not depend on it.",
        HelpName = "FILE|NAME",
    };

    public static Option<SpeculationKind?> Speculate() => new("--speculate")
    {
        Description = "Who proposes tokens: none, ngram (the text itself) or draft; default draft with --draft-model, else none. The answer does not depend on it.",
        HelpName = "none|ngram|draft",
        CustomParser = ParseSpeculation,
    };

    public static Option<KvType?> KvType() => new("--kv-type")
    {
        Description = "What keys and values are kept as: f32, q16 (half the memory) or q8 (a quarter); default q16 beside quantized weights, else f32.",
        HelpName = "f32|q16|q8",
        CustomParser = ParseKvType,
    };

    public static Option<long?> ExpertMemory() => new("--expert-memory")
    {
        Description = "Memory for the experts of a mixture, such as 512MiB: they are read from the file when tokens visit them, and the most useful ones stay. The answer does not depend on it. Without it all of them stay in memory.",
        HelpName = "SIZE",
        CustomParser = ParseSize,
    };

    /// <summary>Token ids separated by commas or blanks.</summary>
    public static Option<int[]?> Tokens(string description, string name = "--tokens") => new(name)
    {
        Description = description,
        HelpName = "1,2,3",
        CustomParser = result => ParseTokens(result, name),
    };

    public static Option<int?> Positive(string name, string description, int max)
    {
        var option = new Option<int?>(name) { Description = description, HelpName = "N" };
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count == 1 && int.TryParse(result.Tokens[0].Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) &&
                (value < 1 || value > max))
            {
                result.AddError(string.Create(CultureInfo.InvariantCulture, $"{name} must be in 1 to {max}, but is {value}."));
            }
        });
        return option;
    }

    private static int[]? ParseTokens(ArgumentResult result, string name)
    {
        var ids = new List<int>();
        foreach (var part in result.Tokens.SelectMany(t => t.Value.Split([',', ' '], StringSplitOptions.RemoveEmptyEntries)))
        {
            if (!int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
            {
                result.AddError($"{name}: '{part}' is no token id. Give whole numbers separated by commas, such as 1,2,3.");
                return null;
            }
            ids.Add(id);
        }
        if (ids.Count > 0)
            return [.. ids];
        result.AddError($"{name}: the list is empty. Give at least one token id, such as 1,2,3.");
        return null;
    }

    private static SpeculationKind? ParseSpeculation(ArgumentResult result)
    {
        switch (result.Tokens[0].Value)
        {
            case "none":
                return SpeculationKind.None;
            case "ngram":
                return SpeculationKind.NGram;
            case "draft":
                return SpeculationKind.Draft;
            default:
                result.AddError($"--speculate: '{result.Tokens[0].Value}' is not known. Give none, ngram or draft.");
                return null;
        }
    }

    private static KvType? ParseKvType(ArgumentResult result)
    {
        switch (result.Tokens[0].Value)
        {
            case "f32":
                return Engine.Execution.KvType.F32;
            case "q16":
                return Engine.Execution.KvType.Q16;
            case "q8":
                return Engine.Execution.KvType.Q8;
            default:
                result.AddError($"--kv-type: '{result.Tokens[0].Value}' is not known. Give f32, q16 or q8.");
                return null;
        }
    }

    private static PlacementWish? ParseWish(ArgumentResult result)
    {
        try
        {
            return PlacementWish.Parse(result.Tokens[0].Value);
        }
        catch (PlacementException error)
        {
            result.AddError("--" + error.Message);
            return null;
        }
    }

    private static WireFormat ParseWire(ArgumentResult result)
    {
        switch (result.Tokens[0].Value)
        {
            case "f32":
                return WireFormat.F32;
            case "f16":
                return WireFormat.F16;
            case "q8":
                return WireFormat.Q8;
            default:
                result.AddError($"--wire: '{result.Tokens[0].Value}' is not known. Give f32, f16 or q8.");
                return default;
        }
    }

    private static long? ParseSize(ArgumentResult result)
    {
        if (ByteSize.TryParse(result.Tokens[0].Value, out var bytes))
            return bytes;
        result.AddError($"{result.Argument.Name}: '{result.Tokens[0].Value}' is no size. Give {ByteSize.Rule}.");
        return null;
    }

    private static Uri? ParseEndpoint(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https")
            return uri;
        result.AddError($"--endpoint: '{text}' is no http:// or https:// address. Give one such as http://127.0.0.1:8081.");
        return null;
    }
}
