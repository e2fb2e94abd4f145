using System.Runtime.CompilerServices;
using Grpc.Core;
using Grpc.Net.Client;
using Slm.Engine.Scheduling;
using Slm.Engine.Speculation;
using Slm.Runtime;
using Slm.V1;

namespace Slm.Cli.Backends;

/// <summary>A model of a running platform, over gRPC.</summary>
internal sealed class RemoteBackend(Uri endpoint, string model, string? adapter) : IModelBackend
{
    private readonly GrpcChannel _channel = Connect(endpoint);

    public string Name => model;

    public static GrpcChannel Connect(Uri endpoint) => GrpcChannel.ForAddress(endpoint, new GrpcChannelOptions
    {
        MaxReceiveMessageSize = 64 * 1024 * 1024,
        HttpHandler = new KeyHandler(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10), EnableMultipleHttp2Connections = true }),
    });

    /// <summary>The platform says so itself.</summary>
    public void RequireChat()
    {
    }

    public async IAsyncEnumerable<TextChunk> GenerateAsync(TextRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var call = new InferenceService.InferenceServiceClient(_channel).Generate(ToContract(request), cancellationToken: cancellationToken);
        while (await MoveNextAsync(call.ResponseStream, cancellationToken))
            yield return FromContract(call.ResponseStream.Current);
    }

    public ValueTask DisposeAsync()
    {
        _channel.Dispose();
        return ValueTask.CompletedTask;
    }

    private static async Task<bool> MoveNextAsync(IAsyncStreamReader<GenerateResponse> stream, CancellationToken cancellationToken)
    {
        try
        {
            return await stream.MoveNext(cancellationToken);
        }
        catch (RpcException error) when (error.StatusCode == StatusCode.Cancelled && cancellationToken.IsCancellationRequested)
        {
            throw new OperationCanceledException("The call was cancelled.", error, cancellationToken);
        }
    }

    private GenerateRequest ToContract(TextRequest request)
    {
        if (request.EncoderTokens is not null)
            throw new UsageException("--encoder-tokens is for a model in this process; leave it out with --endpoint.");
        var contract = new GenerateRequest { Model = model, Sampling = ToContract(request.Sampling, request), Constraint = ConstraintContract.Of(request.Constraint) };
        if (request.Echo)
            contract.Echo = true;
        if (adapter is not null)
            contract.Adapter = adapter;
        contract.Speculation = request.Speculation switch
        {
            null => Speculation.Unspecified,
            SpeculationKind.None => Speculation.None,
            SpeculationKind.NGram => Speculation.Ngram,
            _ => Speculation.Draft,
        };
        switch (request.Prompt)
        {
            case TextPrompt.Text text:
                contract.Text = text.Value;
                contract.AddSpecialTokens = text.AddSpecialTokens;
                break;
            case TextPrompt.Tokens tokens:
                contract.TokenIds = new TokenIds { Ids = { tokens.Ids } };
                break;
            case TextPrompt.Chat chat:
                contract.Messages = new Messages { Messages_ = { chat.Turns.Select(t => new ChatMessage { Role = t.Role, Content = t.Content ?? "" }) } };
                break;
            default: throw new NotSupportedException("unknown kind of prompt");
        }
        return contract;
    }

    private static SamplingOptions ToContract(Engine.Sampling.SamplingOptions sampling, TextRequest request)
    {
        var contract = new SamplingOptions
        {
            Temperature = sampling.Temperature,
            TopK = sampling.TopK,
            TopP = sampling.TopP,
            MinP = sampling.MinP,
            RepetitionPenalty = sampling.RepetitionPenalty,
            PresencePenalty = sampling.PresencePenalty,
            FrequencyPenalty = sampling.FrequencyPenalty,
            IgnoreEos = sampling.IgnoreEos,
            IncludeStopInOutput = request.IncludeStopInOutput,
            SkipSpecialTokens = request.SkipSpecialTokens,
            Stop = { request.Stop },
            StopTokenIds = { sampling.StopTokenIds },
            LogitBias = { sampling.LogitBias.ToDictionary() },
        };
        if (sampling.MaxTokens is { } max)
            contract.MaxTokens = max;
        if (sampling.Seed is { } seed)
            contract.Seed = seed;
        return contract;
    }

    private static TextChunk FromContract(GenerateResponse response) => new()
    {
        Text = response.Text,
        TokenIds = response.TokenIds,
        IsPrompt = response.IsPrompt,
        StopMatch = response.HasStopMatch ? response.StopMatch : null,
        Finish = response.FinishReason switch
        {
            FinishReason.Stop => FinishKind.Stop,
            FinishReason.Length => FinishKind.Length,
            _ => null,
        },
        Usage = response.Usage is { } u
            ? new TextUsage(u.PromptTokens, u.CompletionTokens, u.CachedPromptTokens, u.Seed, u.QueueMs, u.PrefillMs, u.DecodeMs, u.SystemFingerprint, u.DraftedTokens, u.AcceptedDraftTokens)
            : null,
    };
}
