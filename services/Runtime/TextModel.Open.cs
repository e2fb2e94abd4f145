using System.Security.Cryptography;
using System.Text;
using Slm.Engine.Adapters;
using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Models;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Engine.Threading;
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
        var local = Pipeline(options);
        var workers = new WorkerPool(local.Threads);
        local = local with { Workers = workers };
        var owned = new List<IDisposable>();
        var pipelines = new List<IPipeline>();
        try
        {
            var file = ModelFile.Open(path);
            owned.Add(file);
            pipelines.Add(LocalPipeline.Load(file, local));
            if (options.DraftModel is { } draftPath)
            {
                var draft = ModelFile.Open(draftPath);
                owned.Add(draft);
                pipelines.Add(LoadDraft(file, draft, local));
                options = options with { Scheduler = options.Scheduler with { Speculation = SpeculationKind.Draft } };
            }

            owned.Add(workers);
            return Create(file, pipelines[0], options, owned, pipelines.Count > 1 ? pipelines[1] : null);
        }
        catch
        {
            foreach (var pipeline in pipelines)
                pipeline.DisposeAsync().AsTask().GetAwaiter().GetResult();
            owned.ForEach(o => o.Dispose());
            workers.Dispose();
            throw;
        }
    }

    /// <summary>Sets up a model that is to propose tokens for another.</summary>
    /// <param name="file">The model that answers.</param>
    /// <param name="draft">The smaller one.</param>
    /// <param name="options">How the model that answers is set up; the draft model has one stage and as many tokens of KV cache.</param>
    /// <exception cref="ModelFormatException">Their tokens are not the same.</exception>
    public static LocalPipeline LoadDraft(ModelFile file, ModelFile draft, LocalPipelineOptions options)
    {
        ArgumentNullException.ThrowIfNull(file);
        ArgumentNullException.ThrowIfNull(draft);
        ArgumentNullException.ThrowIfNull(options);
        RequireSameTokens(file, draft);
        var positions = options.KvPositions;
        if (options.KvCacheBytes is { } given)
            positions = Math.Max(given / Math.Max(1, CachePlan.BytesPerToken(file.Config, options.KvType ?? file.KvType)), 2L * options.BlockSize);
        return LocalPipeline.Load(draft, options with
        {
            Stages = 1,
            KvCacheBytes = null,
            KvPositions = positions,
            ContextLength = options.ContextLength is { } context ? Math.Min(context, draft.Config.ContextLength) : null,
        });
    }

    private static void RequireSameTokens(ModelFile file, ModelFile draft)
    {
        if (file.Config.VocabSize != draft.Config.VocabSize)
            throw new ModelFormatException($"The draft model '{draft.Name}' has a vocabulary of {draft.Config.VocabSize} tokens, the model '{file.Name}' one of {file.Config.VocabSize}; they must be the same.");
        if (file.Source.Metadata.GetValueOrDefault("tokenizer.ggml.tokens") is not string[] ours || draft.Source.Metadata.GetValueOrDefault("tokenizer.ggml.tokens") is not string[] theirs)
            return;
        for (var id = 0; id < Math.Min(ours.Length, theirs.Length); id++)
        {
            if (ours[id] != theirs[id])
                throw new ModelFormatException($"Token {id} of the draft model '{draft.Name}' is '{theirs[id]}', but '{ours[id]}' in the model '{file.Name}'; their vocabularies must be the same.");
        }
    }

    /// <summary>Serves a pipeline over a model file; disposing the result disposes both.</summary>
    /// <param name="file">The model.</param>
    /// <param name="pipeline">Computes it.</param>
    /// <param name="options">Limits.</param>
    /// <param name="owned">Disposed instead of the file, where others use the file too.</param>
    /// <param name="draft">Proposes tokens; see <see cref="LoadDraft"/>. Disposed with the result.</param>
    public static TextModel Create(ModelFile file, IPipeline pipeline, TextModelOptions options, IReadOnlyList<IDisposable>? owned = null, IPipeline? draft = null)
    {
        ArgumentNullException.ThrowIfNull(file);
        var tokenizer = TokenizerLoader.FromGguf(file.Source.Metadata);
        return new TextModel(
            new TextModelParts
            {
                Name = file.Name,
                Tokenizer = tokenizer,
                ChatTemplate = tokenizer.Info.ChatTemplate is { } source ? ChatTemplate.Parse(source) : null,
                Pipeline = pipeline,
                Fingerprint = () => FingerprintOf(file.Sha256, file.QuantizationName, Numerics.Fingerprint(pipeline.KvType, pipeline.RoundedResidual)),
                Pooling = PoolingOf(file),
                OpenAdapter = (path, strength) => LoraAdapter.Open(path, file, strength),
                Owned = owned ?? [file],
                Draft = draft,
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
            KvType = options.KvType,
            ExpertMemory = options.ExpertMemory,
            ContextLength = options.ContextLength,
            MaxStepTokens = options.Scheduler.MaxStepTokens ?? local.MaxStepTokens,
        };
    }

    internal static string FingerprintOf(string modelSha256, string quantization, string numerics) => FingerprintOf($"{modelSha256}|{quantization}|{numerics}");

    private static string FingerprintOf(string text)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(text));
        return "fp_" + Convert.ToHexStringLower(hash)[..16];
    }

    /// <summary>GGUF key <c>{architecture}.pooling_type</c>: 1 mean, 2 first token, 3 last token.</summary>
    private static PoolingKind PoolingOf(ModelFile file) =>
        file.Source.Metadata.TryGetValue($"{file.Config.Architecture}.pooling_type", out var value) && value is uint kind
            ? kind switch { 2 => PoolingKind.Cls, 3 => PoolingKind.Last, _ => PoolingKind.Mean }
            : PoolingKind.Mean;
}
