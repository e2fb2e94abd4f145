using System.Text.Json;
using Slm.Gateway.OpenAi.Responses;

namespace Slm.Gateway.OpenAi;

/// <summary>Routes of the OpenAI-compatible API and of the tokenizer endpoints beside it.</summary>
internal static class OpenAiEndpoints
{
    private static readonly PathString[] Roots = ["/v1", "/tokenize", "/detokenize", "/tokenizer_info", "/api", "/mcp"];

    /// <summary>Maps the API; its errors have OpenAI's shape, also for paths that do not exist.</summary>
    public static void MapOpenAi(this WebApplication app)
    {
        // JSON transcoding answers application/json with google.rpc.Status; only what has no body yet is given our shape.
        app.UseWhen(context => Roots.Any(root => context.Request.Path.StartsWithSegments(root, StringComparison.Ordinal)),
            branch => branch.UseMiddleware<OpenAiErrors>());

        app.MapPost("/v1/chat/completions", async (HttpContext context, PlatformClients clients, TimeProvider time) =>
            await ChatCompletions.HandleAsync(context, await BodyAsync(context), clients, time));
        app.MapPost("/v1/completions", async (HttpContext context, PlatformClients clients, TimeProvider time) =>
            await TextCompletions.HandleAsync(context, await BodyAsync(context), clients, time));
        app.MapPost("/v1/embeddings", async (HttpContext context, PlatformClients clients) =>
            await Embeddings.HandleAsync(context, await BodyAsync(context), clients));
        app.MapPost("/v1/responses", async (HttpContext context, ResponseEndpoints responses) => await responses.CreateAsync(context, await BodyAsync(context)));
        app.MapGet("/v1/responses/{id}", (HttpContext context, ResponseEndpoints responses, string id) => responses.GetAsync(context, id));
        app.MapDelete("/v1/responses/{id}", (HttpContext context, ResponseEndpoints responses, string id) => responses.DeleteAsync(context, id));
        app.MapPost("/v1/responses/{id}/cancel", (HttpContext context, ResponseEndpoints responses, string id) => responses.CancelAsync(context, id));
        app.MapGet("/v1/responses/{id}/input_items", (HttpContext context, ResponseEndpoints responses, string id) => responses.InputItemsAsync(context, id));
        app.MapGet("/v1/models", (HttpContext context, PlatformClients clients) => ModelsAndTokens.ListAsync(context, clients));
        app.MapGet("/v1/models/{model}", (HttpContext context, PlatformClients clients, string model) => ModelsAndTokens.GetAsync(context, clients, model));
        app.MapPost("/tokenize", async (HttpContext context, PlatformClients clients) =>
            await ModelsAndTokens.TokenizeAsync(context, await BodyAsync(context), clients));
        app.MapPost("/detokenize", async (HttpContext context, PlatformClients clients) =>
            await ModelsAndTokens.DetokenizeAsync(context, await BodyAsync(context), clients));
        app.MapGet("/tokenizer_info", (HttpContext context, PlatformClients clients, string? model) => ModelsAndTokens.TokenizerInfoAsync(context, clients, model));
    }

    // Clients exist that send no content type; JSON is all there can be.
    private static async Task<JsonElement> BodyAsync(HttpContext context)
    {
        using var document = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
        return document.RootElement.Clone();
    }
}
