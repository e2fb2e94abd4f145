using System.ClientModel;
using OpenAI;
using OpenAI.Chat;

namespace Slm.Conformance;

/// <summary>The OpenAI .NET package against the HTTP API: a strict reader.</summary>
public sealed class OpenAiDotNetTests(Platform platform)
{
    private static readonly ChatMessage[] Messages = [new SystemChatMessage("You tell stories."), new UserChatMessage("A dog finds a bone.")];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_chat_answer_is_read_whole()
    {
        ChatCompletion answer = await Chat().CompleteChatAsync(Messages, Options(24), Cancellation);
        Assert.Equal(ChatMessageRole.Assistant, answer.Role);
        Assert.NotEmpty(answer.Content[0].Text);
        Assert.Contains(answer.FinishReason, (ChatFinishReason[])[ChatFinishReason.Stop, ChatFinishReason.Length]);
        Assert.Equal(answer.Usage.TotalTokenCount, answer.Usage.InputTokenCount + answer.Usage.OutputTokenCount);
        Assert.Equal(Platform.Model, answer.Model);
        Assert.NotEmpty(answer.SystemFingerprint);
    }

    [Fact]
    public async Task A_stream_says_the_same_as_the_whole_answer()
    {
        ChatCompletion whole = await Chat().CompleteChatAsync(Messages, Options(24), Cancellation);
        var text = "";
        ChatFinishReason? finish = null;
        ChatTokenUsage? usage = null;
        await foreach (var update in Chat().CompleteChatStreamingAsync(Messages, Options(24), Cancellation))
        {
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
            finish ??= update.FinishReason;
            usage = update.Usage ?? usage;
        }
        Assert.Equal(whole.Content[0].Text, text);
        Assert.Equal(whole.FinishReason, finish);
        Assert.Equal(whole.Usage.OutputTokenCount, usage!.OutputTokenCount);
    }

    [Fact]
    public async Task Log_probabilities_are_read()
    {
        var options = Options(8);
        options.IncludeLogProbabilities = true;
        options.TopLogProbabilityCount = 4;
        ChatCompletion answer = await Chat().CompleteChatAsync(Messages, options, Cancellation);
        Assert.InRange(answer.ContentTokenLogProbabilities.Count, 1, 8);
        Assert.All(answer.ContentTokenLogProbabilities, token => Assert.Equal(4, token.TopLogProbabilities.Count));
        Assert.All(answer.ContentTokenLogProbabilities, token => Assert.True(token.LogProbability <= 0 && !token.Utf8Bytes!.Value.IsEmpty));
    }

    [Fact]
    public async Task Embeddings_are_read_with_the_package_s_own_encoding()
    {
        var embeddings = await Client().GetEmbeddingClient(Platform.Model).GenerateEmbeddingsAsync(["one cat", "two dogs"], cancellationToken: Cancellation);
        Assert.Equal(2, embeddings.Value.Count);
        Assert.All(embeddings.Value, e => Assert.InRange(Math.Sqrt(e.ToFloats().ToArray().Sum(x => (double)x * x)), 1 - 1e-4, 1 + 1e-4));
    }

    [Fact]
    public async Task Models_are_listed()
    {
        var models = await Client().GetOpenAIModelClient().GetModelsAsync(Cancellation);
        Assert.Contains(models.Value, model => model.Id == Platform.Model);
    }

    [Fact]
    public async Task An_unknown_model_is_404()
    {
        var error = await Assert.ThrowsAsync<ClientResultException>(() => Client().GetChatClient("no-such-model").CompleteChatAsync(Messages, Options(1), Cancellation));
        Assert.Equal(404, error.Status);
        Assert.Contains(Platform.Model, error.Message);
    }

    private ChatClient Chat() => Client().GetChatClient(Platform.Model);

    private OpenAIClient Client() => new(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri($"{platform.Http}/v1") });

    private static ChatCompletionOptions Options(int maxTokens) => new()
    {
        MaxOutputTokenCount = maxTokens,
        Temperature = 0,
#pragma warning disable OPENAI001 // marked experimental by the package
        Seed = 5,
#pragma warning restore OPENAI001
    };
}
