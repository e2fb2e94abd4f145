using System.Security.Cryptography;
using System.Text;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Scheduling;
using Slm.Tokenization;
using Slm.Tokenization.Templates;

namespace Slm.Runtime;

/// <content>From a model file.</content>
public sealed partial class TextModel
{
    /// <summary>Opens a model file and serves it with a pipeline in this process.</summary>
    /// <exception cref="ModelFormatException">The file is not a model this engine can run.</exception>
    /// <exception cref="TokenizerFormatException">Its tokenizer cannot be read.</exception>
    /// <exception cref="TemplateException">Its chat template is not valid.</exception>
    public static TextModel Open(string path, TextModelOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        var file = ModelFile.Open(path);
        LocalPipeline? pipeline = null;
        try
        {
            pipeline = LocalPipeline.Load(file, Pipeline(options));
            return Create(file, pipeline, options);
        }
        catch
        {
            pipeline?.DisposeAsync().AsTask().GetAwaiter().GetResult();
            file.Dispose();
            throw;
        }
    }

    /// <summary>Serves a pipeline over a model file; disposing the result disposes both.</summary>
    /// <param name="file">The model.</param>
    /// <param name="pipeline">Computes it.</param>
    /// <param name="options">Limits.</param>
    /// <param name="owned">Disposed instead of the file, where others use the file too.</param>
    public static TextModel Create(ModelFile file, IPipeline pipeline, TextModelOptions options, IDisposable? owned = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        var tokenizer = TokenizerLoader.FromGguf(file.Gguf.Metadata);
        return new TextModel(
            new TextModelParts
            {
                Name = file.Name,
                Tokenizer = tokenizer,
                ChatTemplate = tokenizer.Info.ChatTemplate is { } source ? ChatTemplate.Parse(source) : null,
                Pipeline = pipeline,
                Fingerprint = () => FingerprintOf(file.Sha256, file.QuantizationName, Numerics.Fingerprint),
                Pooling = PoolingOf(file),
                Owned = owned ?? file,
            },
            options);
    }

    private static LocalPipelineOptions Pipeline(TextModelOptions options)
    {
        var local = new LocalPipelineOptions();
        return local with
        {
            Stages = options.Stages,
            Threads = options.Threads ?? local.Threads,
            KvCacheBytes = options.KvCacheBytes,
            ContextLength = options.ContextLength,
            MaxStepTokens = options.Scheduler.MaxStepTokens ?? local.MaxStepTokens,
        };
    }

    internal static string FingerprintOf(string modelSha256, string quantization, string numerics)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{modelSha256}|{quantization}|{numerics}"));
        return "fp_" + Convert.ToHexStringLower(hash)[..16];
    }

    /// <summary>GGUF key <c>{architecture}.pooling_type</c>: 1 mean, 2 first token, 3 last token.</summary>
    private static PoolingKind PoolingOf(ModelFile file) =>
        file.Gguf.Metadata.TryGetValue($"{file.Config.Architecture}.pooling_type", out var value) && value is uint kind
            ? kind switch { 2 => PoolingKind.Cls, 3 => PoolingKind.Last, _ => PoolingKind.Mean }
            : PoolingKind.Mean;
}
