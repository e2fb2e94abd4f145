using System.Text.Json;
using Slm.Gateway.OpenAi.Constraints;
using Slm.Gateway.OpenAi.Tools;
using Slm.Tools.Calls;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary><c>POST /v1/chat/completions</c>.</summary>
internal static class ChatCompletions
{
    public static async Task HandleAsync(HttpContext context, JsonElement body, PlatformClients clients, TimeProvider time)
    {
        var request = ChatRequest.Parse(body);
        SchedulingFields.Complete(request.Prototype.Scheduling, context);
        var plan = await AnswerPlan.MakeAsync(clients, request.Prototype, request.Tools, request.Constraint, context.RequestAborted);
        ConstraintFields.NameErrors(context, plan.FieldName);
        var requests = Enumerable.Range(0, request.Choices).Select(i =>
        {
            var copy = request.Prototype.Clone();
            copy.Sampling = SamplingFields.ForChoice(request.Prototype.Sampling, i);
            return copy;
        }).ToArray();
        var header = (Id: $"chatcmpl-{Guid.NewGuid():N}", Created: time.GetUtcNow().ToUnixTimeSeconds());
        if (request.Stream)
            await StreamAsync(context, request, plan, requests, header.Id, header.Created, clients);
        else
            await AnswerAsync(context, request, plan, requests, header.Id, header.Created, clients);
    }

    private static async Task AnswerAsync(HttpContext context, ChatRequest request, AnswerPlan plan, GenerateRequest[] requests, string id, long created, PlatformClients clients)
    {
        var answers = await Answers.CollectAsync(clients, requests, context.RequestAborted);
        RoutedModel.Describe(context, answers[0].Usage);
        var choices = answers.Select((answer, i) =>
        {
            var (text, calls) = plan.Read(answer.Text);
            var message = new ChatAnswer("assistant", text.Length == 0 && calls.Count > 0 ? null : text, null,
                calls.Count == 0 ? null : [.. calls.Select(c => new ToolCallBody(c.Id, "function", new FunctionBody(c.Name, c.ArgumentsJson)))]);
            return new ChatChoice(i, message, requests[i].Sampling.Logprobs ? WireMapping.Chat(answer.Logprobs) : null, WireMapping.Finish(answer.FinishReason, calls.Count));
        }).ToList();
        var document = new ChatCompletion(id, "chat.completion", created, request.Model, answers[0].Usage.SystemFingerprint, choices,
            WireMapping.Usage([.. answers.Select(a => a.Usage)], request.Choices));
        await context.Response.WriteAsJsonAsync(document, WireContext.Shared.ChatCompletion, cancellationToken: context.RequestAborted);
    }

    private static async Task StreamAsync(HttpContext context, ChatRequest request, AnswerPlan plan, GenerateRequest[] requests, string id, long created, PlatformClients clients)
    {
        var cancelled = context.RequestAborted;
        var events = new EventStream(context.Response);
        var usage = new Usage[request.Choices];
        var parsers = new ToolCallParser?[request.Choices];
        var wantsLogProbs = request.Prototype.Sampling.Logprobs;

        Task Send(int choice, ChatDelta delta, ChatLogProbs? logprobs, string? finish, string? fingerprint) => events.SendAsync(
            new ChatChunk(id, "chat.completion.chunk", created, request.Model, fingerprint, [new ChatChunkChoice(choice, delta, logprobs, finish)], null),
            WireContext.Shared.ChatChunk, cancelled);

        async Task SendParts(int choice, IReadOnlyList<AnswerPart> parts, ChatLogProbs? logprobs)
        {
            // Log-probabilities are of tokens, which may be held back or make several parts: they go with the first.
            if (parts.Count == 0 && logprobs is not null)
                await Send(choice, new ChatDelta(null, ""), logprobs, null, null);
            foreach (var part in parts)
            {
                await Send(choice, Delta(part), logprobs, null, null);
                logprobs = null;
            }
        }

        await foreach (var (choice, piece) in Answers.StreamAsync(clients, requests, cancelled))
        {
            if (parsers[choice] is not { } parser)
            {
                parsers[choice] = parser = plan.NewParser();
                await Send(choice, new ChatDelta("assistant", ""), null, null, null);
            }
            await SendParts(choice, parser.Append(piece.Text), wantsLogProbs && piece.Logprobs.Count > 0 ? WireMapping.Chat(piece.Logprobs) : null);
            if (piece.FinishReason != FinishReason.Unspecified)
            {
                await SendParts(choice, parser.End(), null);
                usage[choice] = piece.Usage;
                await Send(choice, new ChatDelta(null, null), null, WireMapping.Finish(piece.FinishReason, parser.Calls), piece.Usage.SystemFingerprint);
            }
        }
        if (request.IncludeUsage)
            await events.SendAsync(
                new ChatChunk(id, "chat.completion.chunk", created, request.Model, usage[0].SystemFingerprint, [], WireMapping.Usage(usage, request.Choices)),
                WireContext.Shared.ChatChunk, cancelled);
        await events.DoneAsync(cancelled);
    }

    // Id, type and name come once, with the first delta of a call: clients concatenate what is repeated.
    private static ChatDelta Delta(AnswerPart part) => part switch
    {
        AnswerPart.Text text => new ChatDelta(null, text.Value),
        AnswerPart.CallBegin begin => new ChatDelta(null, null, [new ToolCallDelta(begin.Index, begin.Id, "function", new FunctionDelta(begin.Function, ""))]),
        AnswerPart.ArgumentsMore more => new ChatDelta(null, null, [new ToolCallDelta(more.Index, null, null, new FunctionDelta(null, more.Json))]),
        _ => throw new InvalidOperationException($"An answer has no parts of the kind {part.GetType().Name}."),
    };
}
