using System.Text.Json;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary><c>POST /v1/chat/completions</c>.</summary>
internal static class ChatCompletions
{
    public static async Task HandleAsync(HttpContext context, JsonElement body, PlatformClients clients, TimeProvider time)
    {
        var request = ChatRequest.Parse(body);
        SchedulingFields.Complete(request.Prototype.Scheduling, context);
        var requests = Enumerable.Range(0, request.Choices).Select(i =>
        {
            var copy = request.Prototype.Clone();
            copy.Sampling = SamplingFields.ForChoice(request.Prototype.Sampling, i);
            return copy;
        }).ToArray();
        var header = (Id: $"chatcmpl-{Guid.NewGuid():N}", Created: time.GetUtcNow().ToUnixTimeSeconds());
        if (request.Stream)
            await StreamAsync(context, request, requests, header.Id, header.Created, clients);
        else
            await AnswerAsync(context, request, requests, header.Id, header.Created, clients);
    }

    private static async Task AnswerAsync(HttpContext context, ChatRequest request, GenerateRequest[] requests, string id, long created, PlatformClients clients)
    {
        var answers = await Answers.CollectAsync(clients, requests, context.RequestAborted);
        RoutedModel.Describe(context, answers[0].Usage);
        var choices = answers.Select((answer, i) => new ChatChoice(i, new ChatAnswer("assistant", answer.Text, null),
            requests[i].Sampling.Logprobs ? WireMapping.Chat(answer.Logprobs) : null, WireMapping.Finish(answer.FinishReason))).ToList();
        var document = new ChatCompletion(id, "chat.completion", created, request.Model, answers[0].Usage.SystemFingerprint, choices,
            WireMapping.Usage([.. answers.Select(a => a.Usage)], request.Choices));
        await context.Response.WriteAsJsonAsync(document, WireContext.Shared.ChatCompletion, cancellationToken: context.RequestAborted);
    }

    private static async Task StreamAsync(HttpContext context, ChatRequest request, GenerateRequest[] requests, string id, long created, PlatformClients clients)
    {
        var cancelled = context.RequestAborted;
        var events = new EventStream(context.Response);
        var usage = new Usage[request.Choices];
        var started = new bool[request.Choices];
        var wantsLogProbs = request.Prototype.Sampling.Logprobs;

        Task Send(int choice, ChatDelta delta, ChatLogProbs? logprobs, string? finish, string? fingerprint) => events.SendAsync(
            new ChatChunk(id, "chat.completion.chunk", created, request.Model, fingerprint, [new ChatChunkChoice(choice, delta, logprobs, finish)], null),
            WireContext.Shared.ChatChunk, cancelled);

        await foreach (var (choice, piece) in Answers.StreamAsync(clients, requests, cancelled))
        {
            if (!started[choice])
            {
                started[choice] = true;
                await Send(choice, new ChatDelta("assistant", ""), null, null, null);
            }
            var logprobs = wantsLogProbs && piece.Logprobs.Count > 0 ? WireMapping.Chat(piece.Logprobs) : null;
            if (piece.Text.Length > 0 || logprobs is not null)
                await Send(choice, new ChatDelta(null, piece.Text), logprobs, null, null);
            if (piece.FinishReason != FinishReason.Unspecified)
            {
                usage[choice] = piece.Usage;
                await Send(choice, new ChatDelta(null, null), null, WireMapping.Finish(piece.FinishReason), piece.Usage.SystemFingerprint);
            }
        }
        if (request.IncludeUsage)
            await events.SendAsync(
                new ChatChunk(id, "chat.completion.chunk", created, request.Model, usage[0].SystemFingerprint, [], WireMapping.Usage(usage, request.Choices)),
                WireContext.Shared.ChatChunk, cancelled);
        await events.DoneAsync(cancelled);
    }
}
