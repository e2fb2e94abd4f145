#pragma warning disable OPENAI001 // marked experimental by the package
using System.ClientModel;
using System.Text.Json;
using OpenAI;
using OpenAI.Responses;

namespace Slm.Conformance;

/// <summary><c>/v1/responses</c> through the OpenAI .NET package.</summary>
public sealed class OpenAiDotNetResponsesTests(Platform platform)
{
    private const string Colour = """{"type":"object","properties":{"colour":{"enum":["red","green","blue"]}},"required":["colour"],"additionalProperties":false}""";

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_text_is_answered()
    {
        ResponseResult response = await Client().CreateResponseAsync(Options(), Cancellation);
        Assert.NotEmpty(response.GetOutputText());
        Assert.Equal(Platform.Model, response.Model);
        Assert.Equal(response.Usage.TotalTokenCount, response.Usage.InputTokenCount + response.Usage.OutputTokenCount);
    }

    [Fact]
    public async Task A_stream_says_the_same_as_the_whole()
    {
        ResponseResult whole = await Client().CreateResponseAsync(Options(), Cancellation);
        var options = Options();
        options.StreamingEnabled = true;
        var text = "";
        await foreach (var update in await Client().CreateResponseStreamingAsync(options, Cancellation))
            if (update is StreamingResponseOutputTextDeltaUpdate delta)
                text += delta.Delta;
        Assert.Equal(whole.GetOutputText(), text);
    }

    [Fact]
    public async Task A_function_is_called()
    {
        var options = Options();
        options.Tools.Add(ResponseTool.CreateFunctionTool("paint", BinaryData.FromString(Colour), strictModeEnabled: true, functionDescription: "Paints."));
        options.ToolChoice = ResponseToolChoice.CreateRequiredChoice();
        options.ParallelToolCallsEnabled = false;
        ResponseResult response = await Client().CreateResponseAsync(options, Cancellation);
        var call = Assert.IsType<FunctionCallResponseItem>(Assert.Single(response.OutputItems));
        Assert.Equal("paint", call.FunctionName);
        Assert.Contains(JsonElement.Parse(call.FunctionArguments.ToString()).GetProperty("colour").GetString(), (string[])["red", "green", "blue"]);
    }

    [Fact]
    public async Task A_stored_response_is_found_again()
    {
        ResponseResult response = await Client().CreateResponseAsync(Options(), Cancellation);
        ResponseResult again = await Client().GetResponseAsync(response.Id, cancellationToken: Cancellation);
        Assert.Equal(response.GetOutputText(), again.GetOutputText());
        await Client().DeleteResponseAsync(response.Id, Cancellation);
        var error = await Assert.ThrowsAsync<ClientResultException>(() => Client().GetResponseAsync(response.Id, cancellationToken: Cancellation));
        Assert.Equal(404, error.Status);
    }

    private ResponsesClient Client() => new OpenAIClient(new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri($"{platform.Http}/v1") }).GetResponsesClient();

    private static CreateResponseOptions Options()
    {
        var options = new CreateResponseOptions { Model = Platform.Model, MaxOutputTokenCount = 60, Temperature = 0 };
        options.InputItems.Add(ResponseItem.CreateUserMessageItem("A dog finds a bone."));
        return options;
    }
}
