using System.Runtime.CompilerServices;
using System.Text.Json;
using Grpc.Core;
using Microsoft.Extensions.AI;
using Slm.Tools.Calls;
using Slm.V1;
using FunctionCall = Slm.Tools.Calls.FunctionCall;

namespace Slm.Extensions.AI;

/// <summary>
/// A model of the platform as an <see cref="IChatClient"/>, over gRPC. Functions are offered through the model's own chat template
/// and their calls are enforced while they are written; <c>UseFunctionInvocation()</c> runs them. Thread-safe.
/// </summary>
/// <remarks>
/// <see cref="ChatOptions.AdditionalProperties"/> <c>min_p</c> and <c>repetition_penalty</c> are passed on. Calls of a function with the
/// additional property <c>strict</c> match its schema exactly; otherwise keywords that cannot be enforced are left to whoever runs it.
/// </remarks>
public sealed class SlmChatClient : IChatClient
{
    private readonly InferenceService.InferenceServiceClient _inference;
    private readonly TokenizerService.TokenizerServiceClient _tokens;
    private readonly ChatClientMetadata _metadata;

    /// <summary>Makes a client.</summary>
    /// <param name="channel">A channel to the platform's gRPC address, by default http://127.0.0.1:8081. It stays the caller's.</param>
    /// <param name="model">The model where <see cref="ChatOptions.ModelId"/> names none.</param>
    public SlmChatClient(ChannelBase channel, string model)
    {
        ArgumentNullException.ThrowIfNull(channel);
        ArgumentException.ThrowIfNullOrEmpty(model);
        _inference = new InferenceService.InferenceServiceClient(channel);
        _tokens = new TokenizerService.TokenizerServiceClient(channel);
        _metadata = new ChatClientMetadata("slm", null, model);
    }

    /// <inheritdoc/>
    /// <exception cref="RpcException">What the platform refused, with the details of google.rpc.Status.</exception>
    /// <exception cref="NotSupportedException">A message, tool or option that the platform does not have.</exception>
    public Task<ChatResponse> GetResponseAsync(IEnumerable<Microsoft.Extensions.AI.ChatMessage> messages, ChatOptions? options = null, CancellationToken cancellationToken = default) =>
        GetStreamingResponseAsync(messages, options, cancellationToken).ToChatResponseAsync(cancellationToken);

    /// <inheritdoc/>
    /// <exception cref="RpcException">What the platform refused, with the details of google.rpc.Status.</exception>
    /// <exception cref="NotSupportedException">A message, tool or option that the platform does not have.</exception>
    public async IAsyncEnumerable<ChatResponseUpdate> GetStreamingResponseAsync(
        IEnumerable<Microsoft.Extensions.AI.ChatMessage> messages, ChatOptions? options = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(messages);
        var model = options?.ModelId ?? _metadata.DefaultModelId!;
        var functions = ToolOptions.Functions(options);
        var choice = ToolOptions.Choice(options, functions);
        var turns = ChatMapping.Turns(messages, options?.Instructions);
        var style = functions.Count == 0 && turns.All(t => t.Calls.Count == 0 && t.Role != "tool") ? ToolCallStyle.Generic : await StyleAsync(model, cancellationToken);
        var offered = choice.Mode == ToolChoiceMode.None ? [] : functions;
        var request = RequestMapping.Request(model, ToolTranscript.Of(turns, offered, style), options);
        var language = offered.Count == 0 ? null : style.Format.Language(offered, choice);
        if (language is { Required: false } && RequestMapping.Schema(options?.ResponseFormat) is { } schema)
            language = language.Or(schema);
        RequestMapping.Constrain(request, language, choice.Of(offered).Any(f => f.Strict), options?.ResponseFormat);
        if (language is not null && style.Format.HasSpecialTokens)
            request.Sampling.SkipSpecialTokens = false;

        var (response, created) = (Guid.NewGuid().ToString("N"), DateTimeOffset.UtcNow);
        ChatResponseUpdate Update(params IList<AIContent> contents) => new(ChatRole.Assistant, contents) { ResponseId = response, MessageId = response, ModelId = model, CreatedAt = created };

        var parser = new ToolCallParser(language?.Tags ?? [], style.Format);
        var calls = new CallCollector();
        using var call = _inference.Generate(request, cancellationToken: cancellationToken);
        await foreach (var piece in call.ResponseStream.ReadAllAsync(cancellationToken))
        {
            foreach (var content in calls.Take(parser.Append(piece.Text)))
                yield return Update(content);
            if (piece.FinishReason == FinishReason.Unspecified)
                continue;
            foreach (var content in calls.Take(parser.End()))
                yield return Update(content);
            foreach (var content in calls.End())
                yield return Update(content);
            var last = Update(new UsageContent(RequestMapping.Usage(piece.Usage)));
            last.FinishReason = piece.FinishReason == FinishReason.Length ? ChatFinishReason.Length : parser.Calls > 0 ? ChatFinishReason.ToolCalls : ChatFinishReason.Stop;
            last.AdditionalProperties = new() { ["system_fingerprint"] = piece.Usage.SystemFingerprint, ["seed"] = piece.Usage.Seed };
            yield return last;
        }
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null : serviceType == typeof(ChatClientMetadata) ? _metadata : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <summary>Does nothing: the channel is the caller's.</summary>
    public void Dispose()
    {
    }

    private async Task<ToolCallStyle> StyleAsync(string model, CancellationToken cancellationToken)
    {
        try
        {
            var info = await _tokens.GetTokenizerInfoAsync(new GetTokenizerInfoRequest { Model = model }, cancellationToken: cancellationToken);
            return ToolCallStyle.Of(info.HasChatTemplate ? info.ChatTemplate : null);
        }
        catch (RpcException error) when (error.StatusCode == StatusCode.NotFound)
        {
            // A name of the router, whose models differ, or of nobody, which generation will say.
            return ToolCallStyle.Generic;
        }
    }

    /// <summary>Puts calls together: a call is given on once its arguments are whole.</summary>
    private sealed class CallCollector
    {
        private readonly List<(AnswerPart.CallBegin Begin, System.Text.StringBuilder Arguments)> _open = [];

        public IEnumerable<AIContent> Take(IReadOnlyList<AnswerPart> parts)
        {
            foreach (var part in parts)
            {
                switch (part)
                {
                    case AnswerPart.Text text:
                        yield return new TextContent(text.Value);
                        break;
                    case AnswerPart.CallBegin begin:
                        foreach (var content in End())
                            yield return content;
                        _open.Add((begin, new()));
                        break;
                    case AnswerPart.ArgumentsMore more:
                        _open[^1].Arguments.Append(more.Json);
                        break;
                }
            }
        }

        public IEnumerable<AIContent> End()
        {
            foreach (var (begin, arguments) in _open)
                yield return ChatMapping.Content(new FunctionCall(begin.Id, begin.Function, arguments.ToString()));
            _open.Clear();
        }
    }
}
