using System.CommandLine;
using System.Globalization;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Models;
using Slm.Tokenization;
using Slm.V1;
using Spectre.Console;

namespace Slm.Cli.Commands;

/// <summary><c>slm describe</c>: architecture, size, memory and where the layers live.</summary>
internal static class DescribeCommand
{

    public static Command Create()
    {
        var model = CommonOptions.Model();
        var endpoint = CommonOptions.Endpoint();
        var json = CommonOptions.Json();
        var (stages, adapter, memory) = (CommonOptions.Stages(), CommonOptions.Adapter(), CommonOptions.ExpertMemory());
        var command = new Command("describe", "Describes a model: architecture, parameters, quantization, context, memory, placement.") { model, adapter, stages, memory, endpoint, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            if (result.GetValue(endpoint) is not null && result.GetValue(adapter) is not null)
                throw new UsageException("describe: leave --adapter out with --endpoint; the platform describes the adapters that it has loaded.");
            var (description, experts) = result.GetValue(endpoint) is { } address
                ? (await RemoteAsync(address, result.GetRequiredValue(model), cancellationToken), null)
                : Local(result.GetRequiredValue(model), result.GetValue(stages) ?? 1, AdapterArgument.Local(result.GetValue(adapter)));
            if (result.GetValue(json))
                JsonOutput.Write(description);
            else
                WriteTable(description, experts, result.GetValue(memory));
            return 0;
        });
        return command;
    }

    private static async Task<ModelDescription> RemoteAsync(Uri endpoint, string model, CancellationToken cancellationToken)
    {
        using var channel = RemoteBackend.Connect(endpoint);
        return await new ModelService.ModelServiceClient(channel).DescribeAsync(new DescribeModelRequest { Model = model }, cancellationToken: cancellationToken);
    }

    /// <summary>From the file alone; weights are not read.</summary>
    private static (ModelDescription Description, ExpertSizes? Experts) Local(string model, int stages, AdapterArgument? adapter)
    {
        using var file = ModelFile.Open(ModelArgument.ResolveGguf(model));
        var config = file.Config;
        if (stages > config.LayerCount)
            throw new CliException($"--stages: {stages} is more than the model's {config.LayerCount} layers. Give at most that.");
        var description = new ModelDescription
        {
            Model = new Model
            {
                Model_ = file.Name,
                State = ModelState.Available,
                Architecture = config.Architecture,
                Quantization = file.QuantizationName,
                Parameters = file.ParameterCount,
                FileBytes = file.Source.FileBytes,
                ContextLength = config.ContextLength,
            },
            Layers = config.LayerCount,
            HiddenSize = config.HiddenSize,
            AttentionHeads = config.HeadCount,
            KeyValueHeads = config.KeyValueHeadCount,
            HeadSize = config.HeadSize,
            FeedForwardSize = config.FeedForwardSize,
            VocabSize = config.VocabSize,
            Tokenizer = TokenizerLoader.KindOf(file.Source.Metadata),
            HasChatTemplate = HasChatTemplate(file),
            Memory = new MemoryUse
            {
                WeightBytes = file.Source.Tensors.Sum(t => t.ByteLength),
                KvBytesPerToken = CachePlan.BytesPerToken(config, file.KvType),
                StateBytesPerSequence = CachePlan.BytesPerState(config),
            },
        };
        foreach (var (key, value) in file.Source.Metadata.Where(m => m.Key.StartsWith("general.", StringComparison.Ordinal) && m.Value is not Array))
            description.Metadata[key] = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
        if (adapter is not null)
            description.Model.Adapters.Add(Describe(adapter, file));
        var ranges = LayerRange.Split(config.LayerCount, stages);
        for (var s = 0; s < ranges.Length; s++)
        {
            description.Stages.Add(new StagePlacement
            {
                Stage = s,
                FirstLayer = ranges[s].First,
                EndLayer = ranges[s].End,
                Silo = "this process",
                WeightBytes = file.Source.Tensors.Where(t => IsOf(t.Name, ranges[s], s == 0, s == ranges.Length - 1)).Sum(t => t.ByteLength),
                HasEmbedding = s == 0,
                HasHead = s == ranges.Length - 1,
            });
        }
        return (description, ExpertSizes.Of(file));
    }

    private static Adapter Describe(AdapterArgument argument, ModelFile model)
    {
        using var adapter = argument.Open(model);
        return new Adapter
        {
            Model = model.Name,
            Adapter_ = adapter.Name,
            Rank = adapter.Rank,
            Alpha = adapter.Alpha,
            Strength = adapter.Strength,
            Parameters = adapter.ParameterCount,
            Tensors = adapter.Tensors.Count(),
        };
    }

    private static bool HasChatTemplate(ModelFile file)
    {
        try
        {
            return TokenizerLoader.FromGguf(file.Source.Metadata).Info.ChatTemplate is not null;
        }
        catch (TokenizerFormatException)
        {
            return false;
        }
    }

    /// <summary>Whether a stage reads a tensor: by the layer number in its name, the embedding with the first stage, the rest with the last.</summary>
    private static bool IsOf(string tensor, LayerRange range, bool first, bool last)
    {
        const string Layer = "blk.";
        if (tensor.StartsWith(Layer, StringComparison.Ordinal))
        {
            var number = tensor.AsSpan(Layer.Length);
            var dot = number.IndexOf('.');
            return dot > 0 && int.TryParse(number[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out var layer) && layer >= range.First && layer < range.End;
        }
        return tensor.StartsWith("token_embd", StringComparison.Ordinal) ? first : last;
    }

    private static void WriteTable(ModelDescription d, ExpertSizes? experts, long? expertMemory)
    {
        var grid = new Grid().AddColumn().AddColumn();
        void Row(string name, string value) => grid.AddRow(new Text(name, new Style(foreground: Color.Grey)), new Text(value));
        string N(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
        Row("model", d.Model.Model_);
        Row("architecture", $"{d.Model.Architecture}, {d.Layers} layers, hidden {N(d.HiddenSize)}{(d.FeedForwardSize == 0 ? "" : $", feed-forward {N(d.FeedForwardSize)}")}");
        Row("attention", d.AttentionHeads == 0 ? "none" : $"{d.AttentionHeads} heads, {d.KeyValueHeads} key/value heads, {d.HeadSize} per head");
        Row("parameters", $"{Quantity.Count(d.Model.Parameters)}, mostly {d.Model.Quantization}");
        Row("file", Quantity.Bytes(d.Model.FileBytes));
        Row("context", $"{N(d.Model.ContextLength)} tokens");
        Row("vocabulary", $"{N(d.VocabSize)} ({d.Tokenizer}){(d.HasChatTemplate ? ", with a chat template" : "")}");
        // A platform holds no memory for a model it has not loaded, and says nothing of it.
        Row("memory", d.Memory is null ? "none, not loaded" : $"{Quantity.Bytes(d.Memory.WeightBytes)} weights, {Quantity.Bytes(d.Memory.KvBytesPerToken)} per token of context");
        if (d.Memory is { StateBytesPerSequence: > 0 } state)
            Row("recurrent state", $"{Quantity.Bytes(state.StateBytesPerSequence)} per sequence");
        if (experts is not null)
        {
            Row("experts", $"{experts.Count} in each of {experts.Layers} layers, {experts.Used} visited by a token, {Quantity.Bytes(experts.ExpertBytes)} each, {Quantity.Bytes(experts.ExpertBytes * experts.Count * experts.Layers)} together");
            Row("--expert-memory", expertMemory is { } budget
                ? $"{Quantity.Bytes(budget)} keep {N(experts.SlotsOf(budget))} of {N((long)experts.Count * experts.Layers)} in memory, {experts.Reading}"
                : $"at least {Quantity.Bytes(experts.LeastBytes)}; all of them stay in memory without it");
        }

        if (d.Memory is { KvCapacityBytes: > 0 } memory)
            Row("KV cache", $"{Quantity.Bytes(memory.KvUsedBytes)} of {Quantity.Bytes(memory.KvCapacityBytes)} in use");
        foreach (var a in d.Model.Adapters)
        {
            var scale = string.Create(CultureInfo.InvariantCulture, $"alpha {a.Alpha:0.###}{(a.Strength == 1 ? "" : $", strength {a.Strength:0.###}")}");
            Row($"adapter {a.Adapter_}", $"rank {a.Rank}, {scale}, {Quantity.Count(a.Parameters)} parameters for {a.Tensors} tensors");
        }
        PlacementReport.AddTo(d, Row);
        foreach (var (key, value) in d.Metadata.OrderBy(m => m.Key, StringComparer.Ordinal))
            Row(key, value);
        AnsiConsole.Write(grid);
    }
}
