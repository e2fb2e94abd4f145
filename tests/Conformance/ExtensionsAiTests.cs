using System.ComponentModel;
using System.Text.Json;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.AI;
using Slm.Extensions.AI;

namespace Slm.Conformance;

/// <summary>The platform's <see cref="IChatClient"/> and <see cref="IEmbeddingGenerator"/> under the middleware of Microsoft.Extensions.AI.</summary>
public sealed class ExtensionsAiTests(Platform platform)
{
    private static readonly ChatMessage[] Messages = [new(ChatRole.User, "A dog finds a bone.")];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private enum Paint
    {
        Red,
        Green,
        Blue,
    }

    [Fact]
    public async Task The_function_middleware_runs_calls_and_reads_the_answer()
    {
        using var channel = GrpcChannel.ForAddress(platform.Grpc);
        var seen = new List<int>();
        var function = AIFunctionFactory.Create(([Description("How often, 1 to 3."), System.ComponentModel.DataAnnotations.Range(1, 3)] int times) =>
        {
            seen.Add(times);
            return "barked";
        }, "bark", "Lets the dog bark.");
        using var client = new SlmChatClient(channel, Platform.Model).AsBuilder().UseFunctionInvocation().Build();
        var options = Options();
        options.Tools = [function];
        options.ToolMode = ChatToolMode.RequireSpecific("bark");
        var response = await client.GetResponseAsync(Messages, options, Cancellation);
        Assert.Single(seen);
        Assert.Contains(response.Messages, m => m.Contents.OfType<FunctionCallContent>().Any(c => c.Name == "bark"));
        Assert.Contains(response.Messages, m => m.Role == ChatRole.Tool && m.Contents.OfType<FunctionResultContent>().Any());
        Assert.Equal(ChatRole.Assistant, response.Messages[^1].Role);
        Assert.NotEmpty(response.Text);
    }

    [Fact]
    public async Task The_function_middleware_runs_streamed_calls()
    {
        using var channel = GrpcChannel.ForAddress(platform.Grpc);
        var ran = 0;
        var function = AIFunctionFactory.Create(() => ++ran, "count", "Counts.");
        using var client = new SlmChatClient(channel, Platform.Model).AsBuilder().UseFunctionInvocation().Build();
        var options = Options();
        options.Tools = [function];
        options.ToolMode = ChatToolMode.RequireAny;
        options.AllowMultipleToolCalls = false;
        var response = await client.GetStreamingResponseAsync(Messages, options, Cancellation).ToChatResponseAsync(Cancellation);
        Assert.Equal(1, ran);
        Assert.NotEmpty(response.Text);
    }

    [Fact]
    public async Task A_typed_answer_is_read()
    {
        using var channel = GrpcChannel.ForAddress(platform.Grpc);
        using var client = new SlmChatClient(channel, Platform.Model);
        var answer = await client.GetResponseAsync<Paint>(Messages, Options(), cancellationToken: Cancellation);
        Assert.True(Enum.IsDefined(answer.Result));
    }

    [Fact]
    public async Task A_stream_says_the_same_as_the_whole_and_carries_usage()
    {
        using var channel = GrpcChannel.ForAddress(platform.Grpc);
        using var client = new SlmChatClient(channel, Platform.Model);
        var whole = await client.GetResponseAsync(Messages, Options(), Cancellation);
        var updates = new List<ChatResponseUpdate>();
        await foreach (var update in client.GetStreamingResponseAsync(Messages, Options(), Cancellation))
            updates.Add(update);
        Assert.Equal(whole.Text, string.Concat(updates.Select(u => u.Text)));
        Assert.True(updates.Count(u => u.Text.Length > 0) > 1);
        Assert.Equal(whole.FinishReason, updates[^1].FinishReason);
        Assert.Equal(whole.Usage!.OutputTokenCount, updates[^1].Contents.OfType<UsageContent>().Single().Details.OutputTokenCount);
        Assert.Equal(Platform.Model, whole.ModelId);
    }

    [Fact]
    public async Task Embeddings_have_unit_length_and_the_dimensions_asked_for()
    {
        using var channel = GrpcChannel.ForAddress(platform.Grpc);
        using var generator = new SlmEmbeddingGenerator(channel, Platform.Model);
        var embeddings = await generator.GenerateAsync(["one cat", "two dogs"], new EmbeddingGenerationOptions { Dimensions = 16 }, Cancellation);
        Assert.Equal(2, embeddings.Count);
        Assert.All(embeddings, e => Assert.Equal(16, e.Vector.Length));
        Assert.All(embeddings, e => Assert.Equal(1, Math.Sqrt(e.Vector.ToArray().Sum(x => (double)x * x)), 4));
        Assert.True(embeddings.Usage!.InputTokenCount > 0);
    }

    [Fact]
    public async Task What_the_platform_refuses_is_thrown()
    {
        using var channel = GrpcChannel.ForAddress(platform.Grpc);
        using var client = new SlmChatClient(channel, "no-such-model");
        var error = await Assert.ThrowsAsync<RpcException>(() => client.GetResponseAsync(Messages, Options(), Cancellation));
        Assert.Equal(StatusCode.NotFound, error.StatusCode);
    }

    [Fact]
    public async Task What_the_platform_does_not_have_is_named()
    {
        using var channel = GrpcChannel.ForAddress(platform.Grpc);
        using var client = new SlmChatClient(channel, Platform.Model);
        ChatMessage[] picture = [new(ChatRole.User, [new UriContent("http://127.0.0.1/dog.png", "image/png")])];
        var error = await Assert.ThrowsAsync<NotSupportedException>(() => client.GetResponseAsync(picture, Options(), Cancellation));
        Assert.Contains("UriContent", error.Message);
        Assert.Equal(Platform.Model, client.GetService<ChatClientMetadata>()!.DefaultModelId);
    }

    private static ChatOptions Options() => new() { MaxOutputTokens = 60, Temperature = 0, Seed = 3 };
}
