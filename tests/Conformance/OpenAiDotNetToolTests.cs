using System.ClientModel;
using System.Text.Json;
using OpenAI;
using OpenAI.Chat;

namespace Slm.Conformance;

/// <summary>Functions and schemas through the OpenAI .NET package.</summary>
public sealed class OpenAiDotNetToolTests(Platform platform)
{
    private const string Colour = """{"type":"object","properties":{"colour":{"enum":["red","green","blue"]}},"required":["colour"],"additionalProperties":false}""";
    private static readonly ChatTool Paint = ChatTool.CreateFunctionTool("paint", "Paints.", BinaryData.FromString(Colour), functionSchemaIsStrict: true);
    private static readonly ChatMessage[] Messages = [new UserChatMessage("A dog finds a bone.")];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_required_call_is_read()
    {
        ChatCompletion answer = await Chat().CompleteChatAsync(Messages, Options(ChatToolChoice.CreateRequiredChoice()), Cancellation);
        Assert.Equal(ChatFinishReason.ToolCalls, answer.FinishReason);
        var call = Assert.Single(answer.ToolCalls);
        Assert.Equal("paint", call.FunctionName);
        Assert.Contains(ColourOf(call.FunctionArguments.ToString()), (string[])["red", "green", "blue"]);
        Assert.Empty(answer.Content);
    }

    [Fact]
    public async Task A_named_call_is_read()
    {
        ChatCompletion answer = await Chat().CompleteChatAsync(Messages, Options(ChatToolChoice.CreateFunctionChoice("paint")), Cancellation);
        Assert.Equal("paint", Assert.Single(answer.ToolCalls).FunctionName);
    }

    [Fact]
    public async Task A_streamed_call_is_the_same_as_the_whole()
    {
        ChatCompletion whole = await Chat().CompleteChatAsync(Messages, Options(ChatToolChoice.CreateRequiredChoice()), Cancellation);
        var (names, arguments) = (new List<string>(), "");
        ChatFinishReason? finish = null;
        await foreach (var update in Chat().CompleteChatStreamingAsync(Messages, Options(ChatToolChoice.CreateRequiredChoice()), Cancellation))
        {
            foreach (var call in update.ToolCallUpdates)
            {
                if (call.FunctionName is { Length: > 0 } name)
                    names.Add(name);
                arguments += call.FunctionArgumentsUpdate?.ToString();
            }
            finish ??= update.FinishReason;
        }
        Assert.Equal(["paint"], names);
        Assert.Equal(whole.ToolCalls[0].FunctionArguments.ToString(), arguments);
        Assert.Equal(ChatFinishReason.ToolCalls, finish);
    }

    [Fact]
    public async Task The_result_of_a_call_goes_back()
    {
        ChatCompletion first = await Chat().CompleteChatAsync(Messages, Options(ChatToolChoice.CreateRequiredChoice()), Cancellation);
        ChatMessage[] conversation = [.. Messages, new AssistantChatMessage(first), new ToolChatMessage(first.ToolCalls[0].Id, "painted")];
        ChatCompletion second = await Chat().CompleteChatAsync(conversation, Options(ChatToolChoice.CreateNoneChoice()), Cancellation);
        Assert.NotEmpty(second.Content[0].Text);
        Assert.Empty(second.ToolCalls);
    }

    [Fact]
    public async Task A_strict_schema_is_followed()
    {
        var options = Options(null);
        options.ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("colour", BinaryData.FromString(Colour), jsonSchemaIsStrict: true);
        ChatCompletion answer = await Chat().CompleteChatAsync(Messages, options, Cancellation);
        Assert.Contains(ColourOf(answer.Content[0].Text), (string[])["red", "green", "blue"]);
    }

    [Fact]
    public async Task A_streamed_schema_says_the_same_as_the_whole()
    {
        var options = Options(null);
        options.ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("colour", BinaryData.FromString(Colour), jsonSchemaIsStrict: true);
        ChatCompletion whole = await Chat().CompleteChatAsync(Messages, options, Cancellation);
        var text = "";
        await foreach (var update in Chat().CompleteChatStreamingAsync(Messages, options, Cancellation))
            text += string.Concat(update.ContentUpdate.Select(part => part.Text));
        Assert.Equal(whole.Content[0].Text, text);
    }

    [Fact]
    public async Task A_wrong_schema_is_400()
    {
        var options = Options(null);
        options.ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("bad", BinaryData.FromString("""{"type":"objekt"}"""), jsonSchemaIsStrict: true);
        var error = await Assert.ThrowsAsync<ClientResultException>(() => Chat().CompleteChatAsync(Messages, options, Cancellation));
        Assert.Equal(400, error.Status);
        Assert.Contains("objekt", error.Message);
    }

    [Fact]
    public async Task A_cancelled_stream_ends()
    {
        using var source = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var seen = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (var _ in Chat().CompleteChatStreamingAsync(Messages, new ChatCompletionOptions { Temperature = 1 }, source.Token))
                if (++seen == 3)
                    await source.CancelAsync();
        });
        Assert.Equal(3, seen);
    }

    private static string ColourOf(string json) => JsonElement.Parse(json).GetProperty("colour").GetString()!;

    private ChatClient Chat() => new OpenAIClient(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri($"{platform.Http}/v1") }).GetChatClient(Platform.Model);

    private static ChatCompletionOptions Options(ChatToolChoice? choice)
    {
#pragma warning disable OPENAI001 // marked experimental by the package
        var options = new ChatCompletionOptions { MaxOutputTokenCount = 100, Temperature = 0, Seed = 5 };
#pragma warning restore OPENAI001
        if (choice is null)
            return options;
        options.Tools.Add(Paint);
        options.ToolChoice = choice;
        options.AllowParallelToolCalls = false;
        return options;
    }
}
