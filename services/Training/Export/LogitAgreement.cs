using Slm.Engine.Execution;
using Slm.Engine.Models;
using Slm.Training.Configuration;
using Slm.Training.Data;

namespace Slm.Training.Export;

/// <summary>Largest differences between the trainer's logits and those of the engine that reads the exported model.</summary>
/// <param name="Tokens">Tokens compared, every logit of each.</param>
/// <param name="F32">For an export in F32.</param>
/// <param name="Shipped">For the export type of the configuration.</param>
public sealed record LogitAgreement(int Tokens, double F32, double Shipped)
{
    private const int Documents = 20;

    /// <summary>Exports the model in both types and runs held-out documents through engine and trainer.</summary>
    public static async Task<LogitAgreement> MeasureAsync(TrainedModel model, TokenStore documents, CancellationToken cancellationToken)
    {
        var texts = Enumerable.Range(0, Math.Min(Documents, documents.Count))
            .Select(i => documents[i].ToArray().Select(id => (int)id).Take(model.Config.Model.ContextLength).ToArray())
            .Where(ids => ids.Length > 0).ToArray();
        var expected = texts.Select(model.Logits).ToArray();
        var f32 = await LargestAsync(model with { Config = model.Config with { Export = new ExportConfig { Type = "f32" } } }, texts, expected, cancellationToken);
        var shipped = await LargestAsync(model, texts, expected, cancellationToken);
        return new LogitAgreement(texts.Sum(t => t.Length), f32, shipped);
    }

    private static async Task<double> LargestAsync(TrainedModel model, int[][] texts, float[][] expected, CancellationToken cancellationToken)
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName() + ".gguf");
        try
        {
            model.Export(path);
            using var file = ModelFile.Open(path);
            await using var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions());
            var largest = 0.0;
            for (var i = 0; i < texts.Length; i++)
            {
                var logits = expected[i];
                var vocabulary = model.Config.Model.VocabSize;
                // As many tokens at once as a step takes.
                for (var start = 0; start < texts[i].Length; start += pipeline.MaxStepTokens)
                {
                    var chunk = texts[i].AsMemory(start, Math.Min(pipeline.MaxStepTokens, texts[i].Length - start));
                    var batch = new StepBatch();
                    batch.Add(chunk.Span, start, [.. Enumerable.Range(0, (start + chunk.Length + pipeline.BlockSize - 1) / pipeline.BlockSize)], chunk.Length, pipeline.StateSlots > 0 ? 0 : -1);
                    var actual = await pipeline.ForwardAsync(batch, StepOutput.Logits, cancellationToken);
                    for (var k = 0; k < actual.Length; k++)
                        largest = Math.Max(largest, Math.Abs((double)actual.Span[k] - logits[(start * vocabulary) + k]));
                }
            }

            return largest;
        }
        finally
        {
            File.Delete(path);
        }
    }
}
