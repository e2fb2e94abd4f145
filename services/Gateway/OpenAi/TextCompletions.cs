using System.Text.Json;
using Slm.Gateway.OpenAi.Constraints;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary><c>POST /v1/completions</c>, with <c>echo</c> and <c>logprobs</c> as lm-eval's <c>local-completions</c> reads them.</summary>
internal static class TextCompletions
{
    public static async Task HandleAsync(HttpContext context, JsonElement body, PlatformClients clients, TimeProvider time)
    {
        var request = CompletionRequest.Parse(body);
        // All prompts have the same object.
        SchedulingFields.Complete(request.Prompts[0].Scheduling, context);
        ConstraintFields.NameErrors(context, _ => request.ConstraintField);
        var requests = request.Prompts.SelectMany(prompt => Enumerable.Range(0, request.ChoicesPerPrompt).Select(i =>
        {
            var copy = prompt.Clone();
            copy.Sampling = SamplingFields.ForChoice(prompt.Sampling, i);
            return copy;
        })).ToArray();
        var header = (Id: $"cmpl-{Guid.NewGuid():N}", Created: time.GetUtcNow().ToUnixTimeSeconds());
        if (request.Stream)
            await StreamAsync(context, request, requests, header.Id, header.Created, clients);
        else
            await AnswerAsync(context, request, requests, header.Id, header.Created, clients);
    }

    private static async Task AnswerAsync(HttpContext context, CompletionRequest request, GenerateRequest[] requests, string id, long created, PlatformClients clients)
    {
        var answers = await Answers.CollectAsync(clients, requests, context.RequestAborted);
        RoutedModel.Describe(context, answers[0].Usage);
        var choices = answers.Select((answer, i) =>
        {
            var offset = 0;
            var logprobs = requests[i].Sampling.Logprobs ? WireMapping.Text([.. answer.PromptLogprobs, .. answer.Logprobs], ref offset) : null;
            return new TextChoice(i, answer.PromptText + answer.Text, logprobs, WireMapping.Finish(answer.FinishReason));
        }).ToList();
        var document = new TextCompletion(id, "text_completion", created, request.Model, answers[0].Usage.SystemFingerprint, choices,
            WireMapping.Usage([.. answers.Select(a => a.Usage)], request.ChoicesPerPrompt));
        await context.Response.WriteAsJsonAsync(document, WireContext.Shared.TextCompletion, cancellationToken: context.RequestAborted);
    }

    private static async Task StreamAsync(HttpContext context, CompletionRequest request, GenerateRequest[] requests, string id, long created, PlatformClients clients)
    {
        var cancelled = context.RequestAborted;
        var events = new EventStream(context.Response);
        var usage = new Usage[requests.Length];
        var offsets = new int[requests.Length];
        await foreach (var (choice, piece) in Answers.StreamAsync(clients, requests, cancelled))
        {
            var finish = piece.FinishReason == FinishReason.Unspecified ? null : WireMapping.Finish(piece.FinishReason);
            var logprobs = requests[choice].Sampling.Logprobs && piece.Logprobs.Count > 0 ? WireMapping.Text(piece.Logprobs, ref offsets[choice]) : null;
            if (finish is not null)
                usage[choice] = piece.Usage;
            if (piece.Text.Length > 0 || logprobs is not null || finish is not null)
                await events.SendAsync(
                    new TextCompletion(id, "text_completion", created, request.Model, piece.Usage?.SystemFingerprint, [new TextChoice(choice, piece.Text, logprobs, finish)], null),
                    WireContext.Shared.TextCompletion, cancelled);
        }
        if (request.IncludeUsage)
            await events.SendAsync(
                new TextCompletion(id, "text_completion", created, request.Model, usage[0].SystemFingerprint, [], WireMapping.Usage(usage, request.ChoicesPerPrompt)),
                WireContext.Shared.TextCompletion, cancelled);
        await events.DoneAsync(cancelled);
    }
}
