using Slm.Training.Configuration;
using Slm.Training.Data;
using Slm.Training.Kernels;
using Slm.Training.Model;
using Slm.Training.Optimization;
using Slm.Training.Pretraining;
using Slm.Training.Tokenizer;

namespace Slm.Training.Export;

/// <summary>The weights of a checkpoint with what belongs to them.</summary>
/// <param name="Config">The run.</param>
/// <param name="Layout">The weights' places.</param>
/// <param name="Weights">Flat F32 weights.</param>
/// <param name="State">Where the run stood.</param>
/// <param name="Vocabulary">The tokenizer.</param>
public sealed record TrainedModel(PretrainConfig Config, ParameterLayout Layout, float[] Weights, RunState State, BpeVocabulary Vocabulary)
{
    /// <summary>Reads a checkpoint.</summary>
    /// <exception cref="InvalidDataException">It does not fit the configuration.</exception>
    public static TrainedModel Load(PretrainConfig config, string checkpoint, string tokenizer)
    {
        var layout = new ParameterLayout(config.Model);
        var weights = new float[layout.Length];
        var state = Checkpoint.Load(checkpoint, weights, [], []);
        return new TrainedModel(config, layout, weights, state, TokenizerJson.Read(tokenizer));
    }

    /// <summary>Writes the model file.</summary>
    public void Export(string path) => GgufExport.Write(path, Config, Layout, Weights, Vocabulary, State.Tokens);

    /// <summary>Loss on documents, computed in F32.</summary>
    public EvaluatedLoss Evaluate(TokenStore documents)
    {
        using var weights = new WeightSet<SingleStorage>(Layout);
        Weights.CopyTo(weights.Values);
        weights.Refresh();
        using var worker = new GradientWorker<SingleStorage>(Layout, Config.Training.MicroBatchTokens);
        double loss = 0;
        long tokens = 0;
        foreach (var batch in new BatchSequence(documents, Config.Training.MicroBatchTokens, Config.Model.ContextLength, 0, shuffle: false).WholeEpoch())
        {
            loss += worker.Loss(batch, weights);
            tokens += batch.TargetCount;
        }

        return new EvaluatedLoss(loss, tokens, documents.TextBytes);
    }

    /// <summary>Logits [tokens, vocabulary] of one document from its first token on, in F32.</summary>
    public float[] Logits(IReadOnlyList<int> tokens)
    {
        using var weights = new WeightSet<SingleStorage>(Layout);
        Weights.CopyTo(weights.Values);
        weights.Refresh();
        using var worker = new GradientWorker<SingleStorage>(Layout, tokens.Count);
        return worker.Logits(new PackedBatch([.. tokens], [.. tokens], [new Segment(0, tokens.Count)]), weights);
    }
}

/// <summary>Summed loss on held-out text.</summary>
/// <param name="Total">Σ −log p over tokens, the end of each document included, in nats.</param>
/// <param name="Tokens">Tokens predicted.</param>
/// <param name="TextBytes">UTF-8 bytes of the texts.</param>
public sealed record EvaluatedLoss(double Total, long Tokens, long TextBytes)
{
    /// <summary>exp of the mean loss of a token.</summary>
    public double TokenPerplexity => Math.Exp(Total / Tokens);

    /// <summary>exp of the loss of a byte of text.</summary>
    public double BytePerplexity => Math.Exp(Total / TextBytes);

    /// <summary>Bits that a byte of text costs.</summary>
    public double BitsPerByte => Total / TextBytes / Math.Log(2);
}
