using System.CommandLine;
using System.Globalization;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Engine.Scheduling;
using Spectre.Console;

namespace Slm.Cli.Commands;

/// <summary><c>slm logits</c>: what the model says after each token of a prompt.</summary>
internal static class LogitsCommand
{
    /// <summary>Entries listed per position.</summary>
    private const int Top = 20;

    /// <summary>Most bytes of logits computed at a time.</summary>
    private const long ChunkBytes = 64L << 20;

    public static Command Create()
    {
        var model = CommonOptions.Model();
        var tokens = CommonOptions.Tokens("Token ids, fed as they are from position 0.");
        tokens.Required = true;
        var encoder = CommonOptions.Tokens("Token ids for the encoder of an encoder-decoder model; --tokens are the decoder's then.", "--encoder-tokens");
        var json = CommonOptions.Json();
        var (threads, stages, kvType) = (CommonOptions.Threads(), CommonOptions.Stages(), CommonOptions.KvType());
        var command = new Command("logits", "Shows the largest logits after each token of a prompt.") { model, tokens, encoder, threads, stages, kvType, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            using var file = ModelFile.Open(ModelArgument.ResolveGguf(result.GetRequiredValue(model)));
            var ids = result.GetRequiredValue(tokens)!;
            var (positions, last) = await ComputeAsync(file, ids, result.GetValue(encoder) ?? [], result.GetValue(threads), result.GetValue(stages), result.GetValue(kvType), cancellationToken);
            if (result.GetValue(json))
                WriteJson(positions, last);
            else
                WriteTable(ids, positions);
            return 0;
        });
        return command;
    }

    private static async Task<(List<(int Id, float Logit)[]> Positions, float[] Last)> ComputeAsync(
        ModelFile file, int[] ids, int[] encoder, int? threads, int? stages, KvType? kvType, CancellationToken cancellationToken)
    {
        var config = file.Config;
        if (!config.IsCausal)
            ModelTaskException.RequireDecoder(config);
        if (config.Encoder is null && encoder.Length > 0)
            throw new CliException($"--encoder-tokens: a model of architecture '{config.Architecture}' has no encoder to read them. Leave them out.");
        if (config.Encoder is not null && encoder.Length == 0)
            throw new CliException($"--encoder-tokens: a model of architecture '{config.Architecture}' has an encoder, which needs an input. Give its token ids.");
        RequireTokens("--tokens", ids, config);
        RequireTokens("--encoder-tokens", encoder, config);

        // Few rows at a time where the vocabulary is large: 512 rows of 262,144 logits would be half a gigabyte.
        var step = (int)Math.Clamp(ChunkBytes / sizeof(float) / config.VocabSize, 1, 512);
        await using var pipeline = LocalPipeline.Load(file, PipelineSizes.For(config, [ids.Length, encoder.Length], threads, stages, kvType) with { MaxStepTokens = Math.Max(step, encoder.Length) });
        var blocks = Enumerable.Range(0, pipeline.BlockCount).ToArray();
        var batch = new StepBatch();
        var positions = new List<(int, float)[]>();
        float[] last = [];
        var lead = PipelineSizes.BlocksOf(encoder.Length, pipeline.BlockSize);
        if (encoder.Length > 0)
        {
            batch.Encodes = true;
            batch.Add(encoder, 0, blocks.AsSpan(0, lead), 0);
            await pipeline.ForwardAsync(batch, StepOutput.Logits, cancellationToken);
        }

        for (var start = 0; start < ids.Length; start += step)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = Math.Min(step, ids.Length - start);
            batch.Clear();
            batch.Add(
                ids.AsSpan(start, count), start, blocks.AsSpan(0, lead + PipelineSizes.BlocksOf(start + count, pipeline.BlockSize)), count,
                pipeline.StateSlots > 0 ? 0 : -1, encoderTokens: encoder.Length);
            var rows = await pipeline.ForwardAsync(batch, StepOutput.Logits, cancellationToken);
            for (var row = 0; row < count; row++)
                positions.Add(Largest(rows.Span.Slice(row * config.VocabSize, config.VocabSize), start + row));
            if (start + count == ids.Length)
                last = rows.Span.Slice((count - 1) * config.VocabSize, config.VocabSize).ToArray();
        }
        return (positions, last);
    }

    private static void RequireTokens(string option, int[] ids, ModelConfig config)
    {
        if (ids.Length > config.ContextLength)
            throw new CliException($"{option}: {ids.Length} tokens are more than the context of {config.ContextLength}. Give fewer.");
        for (var i = 0; i < ids.Length; i++)
        {
            if (ids[i] >= config.VocabSize)
                throw new CliException($"{option}: {ids[i]} at position {i} is outside the vocabulary of {config.VocabSize}. Give ids below that.");
        }
    }

    /// <summary>The largest logits, largest first, the lower id first among equals.</summary>
    private static (int Id, float Logit)[] Largest(ReadOnlySpan<float> logits, int position)
    {
        var best = new PriorityQueue<int, (float Logit, int Order)>();
        for (var id = 0; id < logits.Length; id++)
        {
            if (!float.IsFinite(logits[id]))
                throw new CliException(string.Create(CultureInfo.InvariantCulture, $"--model: the logit of token {id} at position {position} is {logits[id]}. The file's weights are damaged or overflow."));
            if (best.Count < Top)
            {
                best.Enqueue(id, (logits[id], -id));
            }
            else if (best.TryPeek(out _, out var least) && logits[id] > least.Logit)
            {
                best.DequeueEnqueue(id, (logits[id], -id));
            }
        }
        var top = new (int, float)[best.Count];
        for (var i = top.Length - 1; i >= 0; i--)
        {
            var id = best.Dequeue();
            top[i] = (id, logits[id]);
        }
        return top;
    }

    private static void WriteJson(List<(int Id, float Logit)[]> positions, float[] last) => JsonOutput.Write(json =>
    {
        json.WriteStartObject();
        json.WriteNumber("vocab_size", last.Length);
        json.WriteStartArray("positions");
        foreach (var top in positions)
        {
            json.WriteStartObject();
            json.WriteStartArray("top");
            foreach (var (id, logit) in top)
            {
                json.WriteStartArray();
                json.WriteNumberValue(id);
                json.WriteNumberValue(logit);
                json.WriteEndArray();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("last");
        foreach (var logit in last)
            json.WriteNumberValue(logit);
        json.WriteEndArray();
        json.WriteEndObject();
    });

    private static void WriteTable(int[] ids, List<(int Id, float Logit)[]> positions)
    {
        var table = new Table().AddColumn(new TableColumn("position").RightAligned()).AddColumn(new TableColumn("token").RightAligned()).AddColumn("largest logits");
        for (var p = 0; p < positions.Count; p++)
        {
            table.AddRow(p.ToString(CultureInfo.InvariantCulture), ids[p].ToString(CultureInfo.InvariantCulture),
                string.Join("  ", positions[p].Take(5).Select(t => string.Create(CultureInfo.InvariantCulture, $"{t.Id}: {t.Logit:0.000}"))));
        }
        AnsiConsole.Write(table);
    }
}
