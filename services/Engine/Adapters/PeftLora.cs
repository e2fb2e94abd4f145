using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Slm.Engine.Formats;
using Slm.Engine.Models;

namespace Slm.Engine.Adapters;

/// <summary>
/// Adapters in folders as Hugging Face's PEFT writes them: <c>adapter_config.json</c> and <c>adapter_model.safetensors</c> with the
/// tensors <c>base_model.model.M.lora_A.weight</c> [rank, columns] and <c>….lora_B.weight</c> [rows, rank] of each module M. Rows of
/// queries and keys are put in the order of the model's own where its architecture rotates neighbouring pairs.
/// </summary>
internal static partial class PeftLora
{
    private const string WeightsName = "adapter_model.safetensors";

    public static LoraAdapter Open(string folder, ModelFile model, float strength)
    {
        var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        var configPath = Path.Combine(folder, PeftConfig.FileName);
        var weightsPath = Path.Combine(folder, WeightsName);
        if (!File.Exists(configPath))
            throw new AdapterFormatException(name, PeftConfig.FileName, $"the folder has no {PeftConfig.FileName}, which a PEFT adapter has.");
        if (!File.Exists(weightsPath))
            throw new AdapterFormatException(name, WeightsName, $"the folder has no {WeightsName}. Adapters in other files (adapter_model.bin) are not read: save it with safe_serialization=True.");
        if (!PeftNames.Architectures.Contains(model.Config.Architecture))
            throw new AdapterFormatException(name, "architecture", $"PEFT adapters of the architecture '{model.Config.Architecture}' are not supported; those of {string.Join(", ", PeftNames.Architectures)} are. Convert it to GGUF.");
        var json = File.ReadAllBytes(configPath);
        var config = PeftConfig.Read(name, json);
        SafetensorsFile file;
        try
        {
            file = SafetensorsFile.Open(weightsPath);
        }
        catch (ModelFormatException error)
        {
            throw new AdapterFormatException(name, WeightsName, error.Message, error);
        }

        try
        {
            return new LoraAdapter(folder, name, (float)config.Alpha, strength, Read(file, name, config, model, strength), () => Hash(json, file), file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private static List<LoraPair> Read(SafetensorsFile file, string name, PeftConfig config, ModelFile model, float strength)
    {
        var halves = Halves(file, name);
        var shapes = new LoraShapes(name, model);
        var pairs = new List<LoraPair>();
        var experts = new Dictionary<string, List<Half>>(StringComparer.Ordinal);
        foreach (var half in halves)
        {
            if (half.Target.Expert < 0)
                pairs.Add(Pair(file, name, half, shapes, model) with { Scale = (float)(strength * Scale(config, name, half)) });
            else if (experts.TryGetValue(half.Target.Tensor, out var others))
                others.Add(half);
            else
                experts.Add(half.Target.Tensor, [half]);
        }

        foreach (var (tensor, stack) in experts)
        {
            var scales = stack.Select(half => Scale(config, name, half)).Distinct().ToArray();
            if (scales.Length > 1)
                throw new AdapterFormatException(name, "alpha_pattern", $"{PeftConfig.FileName}: the experts of '{tensor}' have different scales; they must be alike.");
            pairs.Add(Stack(file, name, tensor, stack, shapes, model) with { Scale = (float)(strength * scales[0]) });
        }

        if (pairs.Select(p => p.Tensor).GroupBy(t => t, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
            throw new AdapterFormatException(name, twice.Key, $"two modules change the model's tensor '{twice.Key}'; it must be one.");
        return pairs.Count > 0 ? pairs : throw new AdapterFormatException(name, WeightsName, $"{WeightsName} holds no tensor '….lora_A.weight'.");
    }

    /// <summary>The modules of the file, each with both of its matrices.</summary>
    private static List<Half> Halves(SafetensorsFile file, string name)
    {
        var found = new SortedDictionary<string, (SafetensorsTensor? A, SafetensorsTensor? B)>(StringComparer.Ordinal);
        foreach (var tensor in file.Tensors)
        {
            if (tensor.Name.Contains("lora_magnitude_vector", StringComparison.Ordinal))
                throw new AdapterFormatException(name, tensor.Name, $"the tensor '{tensor.Name}' makes it a DoRA adapter, which is not supported; plain LoRA is.");
            if (Module().Match(tensor.Name) is not { Success: true } match)
                throw new AdapterFormatException(name, tensor.Name, $"the tensor '{tensor.Name}' belongs to no pair of LoRA matrices. Whole weights beside the pairs (modules_to_save) are not supported; merge them into the model.");
            var module = match.Groups[1].Value;
            found.TryGetValue(module, out var pair);
            var isFirst = match.Groups[2].Value == "A";
            if ((isFirst ? pair.A : pair.B) is { } other)
                throw new AdapterFormatException(name, tensor.Name, $"'{tensor.Name}' and '{other.Name}' are the same matrix; there must be one.");
            found[module] = isFirst ? (tensor, pair.B) : (pair.A, tensor);
        }

        return [.. found.Select(f =>
        {
            var (module, (a, b)) = (f.Key, f.Value);
            if (a is null || b is null)
                throw new AdapterFormatException(name, (a ?? b)!.Name, $"'{(a ?? b)!.Name}' has no lora_{(a is null ? "A" : "B")} beside it.");
            var target = PeftNames.Find(module)
                ?? throw new AdapterFormatException(name, a.Name, $"'{a.Name}' changes the module '{module}', which models here do not have; modules of attention, feed-forward, experts, lm_head and embed_tokens are supported.");
            return new Half(module, target, a, b);
        })];
    }

    private static LoraPair Pair(SafetensorsFile file, string name, Half half, LoraShapes shapes, ModelFile model)
    {
        var headSize = half.Target.Rotated && !model.Config.Rope.NeoX && model.Config.Latent is null ? model.Config.HeadSize : 0;
        var (a, b) = (Factor(file, name, half.A), Factor(file, name, half.B));
        if (headSize > 0 && (b.Rows % headSize != 0 || headSize % 2 != 0))
            throw new AdapterFormatException(name, b.Name, $"the tensor '{b.Name}' has {b.Rows} rows; a multiple of the {headSize} of a head is expected.");
        return shapes.Pair(
            half.Target.Tensor, a, [.. half.A.Shape.Reverse()], b with { HeadSize = headSize }, [.. half.B.Shape.Reverse()], transposed: true);
    }

    /// <summary>The pairs of the experts of a layer as one; experts without a pair add nothing.</summary>
    private static LoraPair Stack(SafetensorsFile file, string name, string tensor, List<Half> halves, LoraShapes shapes, ModelFile model)
    {
        var count = model.Config.Experts?.Count ?? throw new AdapterFormatException(name, halves[0].A.Name, $"'{halves[0].A.Name}' changes an expert; the model '{model.Name}' has none.");
        var (firstA, firstB) = (halves[0].A, halves[0].B);
        var (a, b) = (new nint[count], new nint[count]);
        foreach (var half in halves)
        {
            var expert = half.Target.Expert;
            if (expert >= count)
                throw new AdapterFormatException(name, half.A.Name, $"'{half.A.Name}' changes expert {expert}; the model '{model.Name}' has {count}.");
            if (!half.A.Shape.SequenceEqual(firstA.Shape) || !half.B.Shape.SequenceEqual(firstB.Shape) || half.A.ElementType != firstA.ElementType || half.B.ElementType != firstB.ElementType)
                throw new AdapterFormatException(name, half.A.Name, $"'{half.A.Name}' is {half.A.ElementType} {half.A.ShapeText}, but '{firstA.Name}' {firstA.ElementType} {firstA.ShapeText}; the experts of a layer must be alike.");
            (a[expert], b[expert]) = (Factor(file, name, half.A).Start, Factor(file, name, half.B).Start);
        }

        var (factorA, factorB) = (Factor(file, name, firstA), Factor(file, name, firstB));
        return shapes.Pair(
            tensor,
            factorA with { Parts = a, Rows = factorA.Rows * count }, [.. firstA.Shape.Reverse(), count],
            factorB with { Parts = b, Rows = factorB.Rows * count }, [.. firstB.Shape.Reverse(), count]);
    }

    private static unsafe LoraFactor Factor(SafetensorsFile file, string name, SafetensorsTensor tensor)
    {
        if (tensor.Shape.Count != 2 || tensor.Shape.Any(n => n is < 1 or > int.MaxValue))
            throw new AdapterFormatException(name, tensor.Name, $"the tensor '{tensor.Name}' has the shape {tensor.ShapeText}; a matrix is expected.");
        var type = tensor.FloatType
            ?? throw new AdapterFormatException(name, tensor.Name, $"the tensor '{tensor.Name}' has elements of type {tensor.ElementType}, which is not supported here. Supported: F32, F16, BF16.");
        return new LoraFactor(tensor.Name, type, (nint)file.Pointer(tensor), tensor.Shape[0], (int)tensor.Shape[1]);
    }

    private static double Scale(PeftConfig config, string name, Half half)
    {
        var rank = half.A.Shape[0];
        return config.RankOf(half.Module) == rank ? config.ScaleOf(half.Module)
            : throw new AdapterFormatException(name, half.A.Name, $"the tensor '{half.A.Name}' has the rank {rank}, but {PeftConfig.FileName} gives it {config.RankOf(half.Module)} ('r', 'rank_pattern').");
    }

    private static string Hash(byte[] config, SafetensorsFile file)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(BitConverter.GetBytes(config.LongLength));
        hash.AppendData(config);
        using var content = file.OpenContent();
        var buffer = new byte[1 << 16];
        for (var read = content.Read(buffer); read > 0; read = content.Read(buffer))
            hash.AppendData(buffer, 0, read);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Names of saved files; those of a running model have the adapter's name before "weight".</summary>
    [GeneratedRegex(@"^(?:base_model\.model\.)?(.+)\.lora_(?:embedding_)?(A|B)(?:\.[A-Za-z0-9_-]+)?(?:\.weight)?$", RegexOptions.CultureInvariant)]
    private static partial Regex Module();

    private sealed record Half(string Module, PeftTarget Target, SafetensorsTensor A, SafetensorsTensor B);
}
