using System.ComponentModel;
using System.Text;
using Grpc.Core;
using ModelContextProtocol;
using ModelContextProtocol.Server;
using Slm.V1;

namespace Slm.Gateway.Mcp;

/// <summary>The platform as an MCP server: its models as tools of other agents.</summary>
[McpServerToolType]
internal sealed class PlatformTools(PlatformClients clients)
{
    [McpServerTool(Name = "list_models", Title = "List models", ReadOnly = true, Idempotent = true, OpenWorld = false, UseStructuredContent = true)]
    [Description("Lists the language models that can be used, with state, architecture and context length in tokens.")]
    public Task<ModelsResult> ListModelsAsync(CancellationToken cancellationToken) => CallAsync(async () =>
    {
        var models = await clients.Models.ListAsync(new ListModelsRequest(), cancellationToken: cancellationToken);
        return new ModelsResult([.. models.Models.Select(m => new ModelResult(m.Model_, m.State.ToString(), m.Architecture, m.Quantization, m.Parameters, m.ContextLength))]);
    });

    [McpServerTool(Name = "generate", Title = "Generate text", ReadOnly = true, OpenWorld = false, UseStructuredContent = true)]
    [Description("Continues a text with a language model. Reports progress in tokens.")]
    public Task<TextResult> GenerateAsync(
        [Description("Name of the model, as list_models gives it.")] string model,
        [Description("The text to continue.")] string prompt,
        IProgress<ProgressNotificationValue> progress,
        CancellationToken cancellationToken,
        [Description("Most tokens of the answer.")] int max_tokens = 256,
        [Description("0 takes the most probable token; 1 samples as the model predicts.")] float temperature = 1,
        [Description("The same seed gives the same answer.")] ulong? seed = null,
        [Description("JSON Schema that the answer must match, as JSON text.")] string? json_schema = null) =>
        GenerateAsync(new GenerateRequest { Model = model, Text = prompt }, max_tokens, temperature, seed, json_schema, progress, cancellationToken);

    [McpServerTool(Name = "chat", Title = "Chat", ReadOnly = true, OpenWorld = false, UseStructuredContent = true)]
    [Description("Answers a conversation with a language model. Reports progress in tokens.")]
    public Task<TextResult> ChatAsync(
        [Description("Name of the model, as list_models gives it.")] string model,
        [Description("The conversation, oldest message first.")] IReadOnlyList<ChatTurn> messages,
        IProgress<ProgressNotificationValue> progress,
        CancellationToken cancellationToken,
        [Description("Most tokens of the answer.")] int max_tokens = 256,
        [Description("0 takes the most probable token; 1 samples as the model predicts.")] float temperature = 1,
        [Description("The same seed gives the same answer.")] ulong? seed = null,
        [Description("JSON Schema that the answer must match, as JSON text.")] string? json_schema = null)
    {
        var request = new GenerateRequest { Model = model, Messages = new Messages() };
        request.Messages.Messages_.AddRange(messages.Select(m => new ChatMessage { Role = m.Role, Content = m.Content }));
        return GenerateAsync(request, max_tokens, temperature, seed, json_schema, progress, cancellationToken);
    }

    [McpServerTool(Name = "embed", Title = "Embed texts", ReadOnly = true, Idempotent = true, OpenWorld = false, UseStructuredContent = true)]
    [Description("Turns texts into vectors of unit length whose scalar product says how alike they are.")]
    public Task<EmbeddingsResult> EmbedAsync(
        [Description("Name of the model, as list_models gives it.")] string model,
        [Description("The texts.")] IReadOnlyList<string> texts,
        CancellationToken cancellationToken,
        [Description("Keep only the first dimensions.")] int? dimensions = null) => CallAsync(async () =>
    {
        var request = new EmbedRequest { Model = model };
        request.Inputs.AddRange(texts.Select(text => new EmbedInput { Text = text }));
        if (dimensions is { } count)
            request.Dimensions = count;
        var response = await clients.Inference.EmbedAsync(request, cancellationToken: cancellationToken);
        return new EmbeddingsResult([.. response.Embeddings.Select(e => e.Values.ToArray())], response.PromptTokens);
    });

    [McpServerTool(Name = "count_tokens", Title = "Count tokens", ReadOnly = true, Idempotent = true, OpenWorld = false, UseStructuredContent = true)]
    [Description("Counts the tokens of a text for a model, and says how many the model can take.")]
    public Task<CountResult> CountTokensAsync(
        [Description("Name of the model, as list_models gives it.")] string model, [Description("The text.")] string text, CancellationToken cancellationToken) => CallAsync(async () =>
    {
        var count = await clients.Tokens.CountAsync(new CountRequest { Model = model, Text = text }, cancellationToken: cancellationToken);
        return new CountResult(count.Count, count.ContextLength);
    });

    private Task<TextResult> GenerateAsync(
        GenerateRequest request, int maxTokens, float temperature, ulong? seed, string? schema, IProgress<ProgressNotificationValue> progress, CancellationToken cancellationToken) => CallAsync(async () =>
    {
        request.Sampling = new SamplingOptions { MaxTokens = maxTokens, Temperature = temperature };
        if (seed is { } value)
            request.Sampling.Seed = value;
        if (!string.IsNullOrEmpty(schema))
            request.Constraint = new Constraint { JsonSchema = schema };
        var text = new StringBuilder();
        var tokens = 0;
        GenerateResponse? last = null;
        await foreach (var piece in clients.Answers.GenerateAsync(request, cancellationToken))
        {
            text.Append(piece.Text);
            tokens += piece.TokenIds.Count;
            progress.Report(new ProgressNotificationValue { Progress = tokens, Total = maxTokens });
            last = piece;
        }
        return new TextResult(text.ToString(), last!.FinishReason.ToString(), last.Usage.PromptTokens, last.Usage.CompletionTokens, last.Usage.Seed);
    });

    /// <summary>What a service refuses is told to the model that called the tool.</summary>
    private static async Task<T> CallAsync<T>(Func<Task<T>> call)
    {
        try
        {
            return await call();
        }
        catch (RpcException error) when (error.StatusCode != StatusCode.Cancelled)
        {
            throw new McpException(error.Status.Detail, error);
        }
    }
}

internal sealed record ChatTurn([property: Description("system, user or assistant.")] string Role, [property: Description("The text.")] string Content);

internal sealed record ModelsResult(IReadOnlyList<ModelResult> Models);

internal sealed record ModelResult(string Name, string State, string Architecture, string Quantization, long Parameters, int ContextLength);

internal sealed record TextResult(string Text, string FinishReason, int PromptTokens, int CompletionTokens, ulong Seed);

internal sealed record EmbeddingsResult(IReadOnlyList<float[]> Embeddings, int PromptTokens);

internal sealed record CountResult(int Tokens, int ContextLength);
