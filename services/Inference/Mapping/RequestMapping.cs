using System.Globalization;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;
using Slm.Shared;
using Slm.V1;
using SamplingOptions = Slm.Engine.Sampling.SamplingOptions;

namespace Slm.Inference.Mapping;

/// <summary>Requests of the contract as the runtime takes them. What is missing or wrong is named by its field.</summary>
internal static class RequestMapping
{
    private const int MaxEmbedInputs = 2048;
    private const int MaxAdapterName = 200;

    /// <summary>What timers take; longer is as good as never.</summary>
    private const long MaxTimeoutMs = uint.MaxValue - 1;

    /// <summary>A generation.</summary>
    public static TextRequest ToText(GenerateRequest request, int vocabSize)
    {
        var sampling = request.Sampling ?? new V1.SamplingOptions();
        return new TextRequest
        {
            Prompt = PromptOf(request, vocabSize),
            Sampling = ToSampling(sampling),
            Stop = [.. sampling.Stop],
            Echo = request.Echo,
            Terms = ToTerms(request.Scheduling),
            Adapter = request.HasAdapter ? request.Adapter : null,
            ResumeTokens = [.. request.ResumeTokenIds],
            ResumeTextBytes = request.ResumeTextBytes,
            Constraint = request.Constraint is { } constraint ? ConstraintMapping.ToSource(constraint) : null,
            Speculation = ToSpeculation(request.Speculation, "speculation"),
            DraftTokens = [.. request.DraftTokenIds],
            IncludeStopInOutput = sampling.IncludeStopInOutput,
            SkipSpecialTokens = !sampling.HasSkipSpecialTokens || sampling.SkipSpecialTokens,
        };
    }

    /// <summary>Context and continuation to score.</summary>
    public static (TextPrompt Context, TextPrompt Continuation) ToScore(ScoreRequest request, int vocabSize)
    {
        var special = !request.HasAddSpecialTokens || request.AddSpecialTokens;
        TextPrompt context = request.ContextCase switch
        {
            ScoreRequest.ContextOneofCase.Text => new TextPrompt.Text(request.Text, special),
            ScoreRequest.ContextOneofCase.TokenIds => new TextPrompt.Tokens(Ids(request.TokenIds, "token_ids", vocabSize, mayBeEmpty: true)),
            _ => throw Missing("context", "text or token_ids"),
        };
        TextPrompt continuation = request.ContinuationCase switch
        {
            ScoreRequest.ContinuationOneofCase.ContinuationText when request.ContinuationText.Length == 0 =>
                throw new FieldException("continuation_text", "continuation_text is empty; there is nothing to score."),
            ScoreRequest.ContinuationOneofCase.ContinuationText => new TextPrompt.Text(request.ContinuationText, AddSpecialTokens: false),
            ScoreRequest.ContinuationOneofCase.ContinuationIds => new TextPrompt.Tokens(Ids(request.ContinuationIds, "continuation_ids", vocabSize)),
            _ => throw Missing("continuation", "continuation_text or continuation_ids"),
        };
        return (context, continuation);
    }

    /// <summary>What an adapter is to be called, which file it is, and how strong.</summary>
    public static (string Name, string File, float Strength) ToAdapter(LoadAdapterRequest request)
    {
        if (request.Adapter.Length is 0 or > MaxAdapterName)
            throw new FieldException("adapter", string.Create(CultureInfo.InvariantCulture, $"adapter must be a name of 1 to {MaxAdapterName} characters, but has {request.Adapter.Length}."));
        if (request.HasStrength && !float.IsFinite(request.Strength))
            throw new FieldException("strength", string.Create(CultureInfo.InvariantCulture, $"strength must be a finite number, but is {request.Strength}."));
        return (request.Adapter, request.HasFile ? request.File : request.Adapter, request.HasStrength ? request.Strength : 1);
    }

    /// <summary>Inputs to embed.</summary>
    public static TextPrompt[] ToInputs(EmbedRequest request, int vocabSize)
    {
        if (request.Inputs.Count is 0 or > MaxEmbedInputs)
            throw new FieldException("inputs", string.Create(CultureInfo.InvariantCulture, $"inputs must hold 1 to {MaxEmbedInputs} entries, but holds {request.Inputs.Count}."));
        var inputs = new TextPrompt[request.Inputs.Count];
        for (var i = 0; i < inputs.Length; i++)
        {
            var input = request.Inputs[i];
            inputs[i] = input.InputCase switch
            {
                EmbedInput.InputOneofCase.Text when input.Text.Length == 0 => throw new FieldException($"inputs[{i}].text", $"inputs[{i}].text is empty."),
                EmbedInput.InputOneofCase.Text => new TextPrompt.Text(input.Text),
                EmbedInput.InputOneofCase.TokenIds => new TextPrompt.Tokens(Ids(input.TokenIds, $"inputs[{i}].token_ids", vocabSize)),
                _ => throw Missing($"inputs[{i}]", "text or token_ids"),
            };
        }
        return inputs;
    }

    /// <summary>Null: what the model was loaded with.</summary>
    public static SpeculationKind? ToSpeculation(Speculation speculation, string field) => speculation switch
    {
        Speculation.Unspecified => null,
        Speculation.None => SpeculationKind.None,
        Speculation.Ngram => SpeculationKind.NGram,
        Speculation.Draft => SpeculationKind.Draft,
        _ => throw new FieldException(field, $"{field} is {(int)speculation}, which is not known."),
    };

    /// <summary>How a request shares the model.</summary>
    public static RequestTerms ToTerms(SchedulingOptions? scheduling) => scheduling is null ? RequestTerms.Default : new RequestTerms
    {
        Priority = scheduling.Priority,
        Timeout = scheduling.HasTimeoutMs ? TimeSpan.FromMilliseconds(Math.Min(scheduling.TimeoutMs, MaxTimeoutMs)) : null,
        Client = scheduling.Client,
        Scope = scheduling.CacheSalt,
    };

    /// <summary>Null: the model's own choice.</summary>
    public static PoolingKind? ToPooling(Pooling pooling) => pooling switch
    {
        Pooling.Unspecified => null,
        Pooling.Mean => PoolingKind.Mean,
        Pooling.Last => PoolingKind.Last,
        Pooling.Cls => PoolingKind.Cls,
        _ => throw new FieldException("pooling", $"pooling is {(int)pooling}, which is not known."),
    };

    private static TextPrompt PromptOf(GenerateRequest request, int vocabSize)
    {
        switch (request.PromptCase)
        {
            case GenerateRequest.PromptOneofCase.Text:
                return new TextPrompt.Text(request.Text, !request.HasAddSpecialTokens || request.AddSpecialTokens);
            case GenerateRequest.PromptOneofCase.TokenIds:
                return new TextPrompt.Tokens(Ids(request.TokenIds, "token_ids", vocabSize));
            case GenerateRequest.PromptOneofCase.Messages:
                var messages = request.Messages;
                return new TextPrompt.Chat(ChatMapping.Turns(messages.Messages_, "messages.messages"))
                {
                    Tools = ChatMapping.Tools(messages.Tools, "messages.tools"),
                    Variables = ChatMapping.Variables(messages.TemplateVariablesJson, "messages.template_variables_json"),
                };
            default:
                throw Missing("prompt", "text, token_ids or messages");
        }
    }

    private static SamplingOptions ToSampling(V1.SamplingOptions sampling)
    {
        if (sampling.TopLogprobs != 0 && !sampling.Logprobs)
            throw new FieldException("sampling.top_logprobs", "sampling.top_logprobs needs sampling.logprobs to be true.");
        var defaults = new SamplingOptions();
        return new SamplingOptions
        {
            MaxTokens = sampling.HasMaxTokens ? sampling.MaxTokens : null,
            Temperature = sampling.HasTemperature ? sampling.Temperature : defaults.Temperature,
            TopK = sampling.TopK,
            TopP = sampling.HasTopP ? sampling.TopP : defaults.TopP,
            MinP = sampling.MinP,
            Seed = sampling.HasSeed ? sampling.Seed : null,
            StopTokenIds = [.. sampling.StopTokenIds],
            RepetitionPenalty = sampling.HasRepetitionPenalty ? sampling.RepetitionPenalty : defaults.RepetitionPenalty,
            PresencePenalty = sampling.PresencePenalty,
            FrequencyPenalty = sampling.FrequencyPenalty,
            LogitBias = sampling.LogitBias.Count == 0 ? defaults.LogitBias : new Dictionary<int, float>(sampling.LogitBias),
            LogProbs = sampling.Logprobs,
            TopLogProbs = sampling.TopLogprobs,
            IgnoreEos = sampling.IgnoreEos,
        };
    }

    private static int[] Ids(TokenIds tokens, string field, int vocabSize, bool mayBeEmpty = false)
    {
        if (tokens.Ids.Count == 0 && !mayBeEmpty)
            throw new FieldException(field, $"{field} is empty; at least one token is needed.");
        for (var i = 0; i < tokens.Ids.Count; i++)
        {
            if ((uint)tokens.Ids[i] >= (uint)vocabSize)
                throw new FieldException($"{field}.ids[{i}]", string.Create(CultureInfo.InvariantCulture, $"{field}.ids[{i}] is {tokens.Ids[i]}, but token ids of this model are 0 to {vocabSize - 1}."));
        }
        return [.. tokens.Ids];
    }

    private static FieldException Missing(string field, string choices) => new(field, $"One of {choices} must be set.");
}
