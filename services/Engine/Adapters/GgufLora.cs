using System.Security.Cryptography;
using Slm.Engine.Formats;
using Slm.Engine.Models;

namespace Slm.Engine.Adapters;

/// <summary>
/// Adapters in GGUF files as llama.cpp's converter writes them: <c>general.type</c> "adapter", <c>adapter.type</c> "lora",
/// <c>adapter.lora.alpha</c>, and for each matrix T of the model the tensors <c>T.lora_a</c> [columns, rank] and <c>T.lora_b</c> [rank, rows],
/// of experts with a third dimension. Those of the token embedding are [rank, vocabulary] and [rank, hidden].
/// </summary>
internal static class GgufLora
{
    private const string FirstSuffix = ".lora_a";
    private const string SecondSuffix = ".lora_b";

    public static LoraAdapter Open(string path, ModelFile model, float strength)
    {
        var name = Path.GetFileNameWithoutExtension(path);
        GgufFile file;
        try
        {
            file = GgufFile.Open(path);
        }
        catch (ModelFormatException error)
        {
            throw new AdapterFormatException(name, Path.GetFileName(path), error.Message, error);
        }

        try
        {
            return Read(file, name, model, strength);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static LoraAdapter Read(GgufFile file, string name, ModelFile model, float strength)
    {
        Require(file, name, "general.type", "adapter", "This is not an adapter; models are loaded as such.");
        Require(file, name, "adapter.type", "lora", "Only LoRA adapters are supported.");
        Require(file, name, "general.architecture", model.Config.Architecture, $"The model '{model.Name}' has the architecture '{model.Config.Architecture}'; load the adapter with the model it was trained on.");
        if (file.Metadata.ContainsKey("adapter.alora.invocation_tokens"))
            throw new AdapterFormatException(name, "adapter.alora.invocation_tokens", "'adapter.alora.invocation_tokens' makes it an activated LoRA, which is not supported; plain LoRA is.");
        var alpha = Alpha(file, name);
        var shapes = new LoraShapes(name, model);
        var pairs = new List<LoraPair>();
        var halves = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in file.Tensors)
        {
            if (tensor.Name.EndsWith(FirstSuffix, StringComparison.Ordinal))
            {
                var target = tensor.Name[..^FirstSuffix.Length];
                if (!file.TryGetTensor(target + SecondSuffix, out var second))
                    throw new AdapterFormatException(name, target + SecondSuffix, $"'{tensor.Name}' has no '{target}{SecondSuffix}' beside it.");
                pairs.Add(shapes.Pair(target, Factor(file, tensor), tensor.Shape, Factor(file, second), second.Shape) with { Scale = 1 });
                halves.Add(second.Name);
            }
        }

        foreach (var tensor in file.Tensors)
        {
            if (tensor.Name.EndsWith(SecondSuffix, StringComparison.Ordinal) && !halves.Contains(tensor.Name))
                throw new AdapterFormatException(name, tensor.Name, $"'{tensor.Name}' has no '{tensor.Name[..^SecondSuffix.Length]}{FirstSuffix}' beside it.");
            if (!tensor.Name.EndsWith(FirstSuffix, StringComparison.Ordinal) && !tensor.Name.EndsWith(SecondSuffix, StringComparison.Ordinal))
                throw new AdapterFormatException(name, tensor.Name, $"the tensor '{tensor.Name}' is neither '….lora_a' nor '….lora_b'. Whole weights beside the pairs (modules_to_save) are not supported; merge them into the model.");
        }

        if (pairs.Count == 0)
            throw new AdapterFormatException(name, "tensors", "it holds no tensor '….lora_a'.");
        return new LoraAdapter(
            file.Path, name, alpha, strength, [.. pairs.Select(p => p with { Scale = alpha == 0 ? strength : strength * alpha / p.Rank })], () => Hash(file), file);
    }

    private static unsafe LoraFactor Factor(GgufFile file, TensorInfo tensor) =>
        new(tensor.Name, tensor.Type, (nint)file.Pointer(tensor), tensor.Rows, checked((int)tensor.Columns));

    private static void Require(GgufFile file, string name, string key, string expected, string remedy)
    {
        if (!file.Metadata.TryGetValue(key, out var value))
            throw new AdapterFormatException(name, key, $"the metadata key '{key}' is missing; \"{expected}\" is expected. {remedy}");
        if (value as string != expected)
            throw new AdapterFormatException(name, key, $"'{key}' is \"{value}\"; \"{expected}\" is expected. {remedy}");
    }

    private static float Alpha(GgufFile file, string name)
    {
        const string Key = "adapter.lora.alpha";
        if (!file.Metadata.TryGetValue(Key, out var value))
            return 0;
        return value is float alpha && float.IsFinite(alpha) ? alpha
            : throw new AdapterFormatException(name, Key, $"'{Key}' is {value} ({value.GetType().Name}); a finite 32-bit float is expected.");
    }

    private static string Hash(GgufFile file)
    {
        using var stream = file.OpenContent();
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }
}
