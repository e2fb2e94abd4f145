using System.Text.Json;
using Slm.Gateway.OpenAi;
using Slm.V1;

namespace Slm.Gateway.Tests;

public sealed class CompletionRequestTests
{
    [Theory]
    [InlineData("\"a\"", 1)]
    [InlineData("[\"a\",\"b\"]", 2)]
    [InlineData("[1,2,3]", 1)]
    [InlineData("[[1,2],[3]]", 2)]
    public void A_prompt_has_four_shapes(string prompt, int count)
    {
        var request = Parse($$"""{"model":"m","prompt":{{prompt}}}""");
        Assert.Equal(count, request.Prompts.Count);
        Assert.Equal(16, request.Prompts[0].Sampling.MaxTokens);
    }

    [Fact]
    public void The_payload_of_an_evaluation_harness_is_understood()
    {
        var request = Parse("""{"model":"m","prompt":[[1,2,3],[4,5]],"max_tokens":1,"logprobs":1,"echo":true,"temperature":0,"seed":1234}""");
        Assert.All(request.Prompts, p => Assert.True(p is { Echo: true, PromptCase: GenerateRequest.PromptOneofCase.TokenIds } && p.Sampling is { Logprobs: true, TopLogprobs: 1, MaxTokens: 1 }));
    }

    [Fact]
    public void Priority_salt_and_user_reach_the_scheduler()
    {
        var request = Parse("""{"model":"m","prompt":["a","b"],"priority":-3,"cache_salt":"s","user":"u"}""");
        Assert.All(request.Prompts, p => Assert.Equal(new SchedulingOptions { Priority = -3, CacheSalt = "s", Client = "u" }, p.Scheduling));
        var context = new Microsoft.AspNetCore.Http.DefaultHttpContext();
        context.Request.Headers.Authorization = "Bearer secret";
        context.Request.Headers[SchedulingFields.TimeoutHeader] = "1500";
        var options = request.Prompts[0].Scheduling;
        SchedulingFields.Complete(options, context);
        Assert.Equal(1500, options.TimeoutMs);
        Assert.Matches("^key:[0-9a-f]{16}/u$", options.Client);
        context.Request.Headers[SchedulingFields.TimeoutHeader] = "soon";
        Assert.Equal(SchedulingFields.TimeoutHeader, Assert.Throws<OpenAiException>(() => SchedulingFields.Complete(options, context)).Param);
    }

    [Theory]
    [InlineData("\"prompt\": []", "prompt")]
    [InlineData("\"prompt\": {}", "prompt")]
    [InlineData("\"prompt\": [1, \"x\"]", "prompt[1]")]
    [InlineData("\"prompt\": \"x\", \"max_tokens\": 0", "max_tokens")]
    [InlineData("\"prompt\": \"x\", \"suffix\": \"y\"", "suffix")]
    [InlineData("\"prompt\": \"x\", \"best_of\": 3", "best_of")]
    [InlineData("\"prompt\": [\"x\", \"y\"], \"n\": 100", "prompt")]
    public void A_wrong_field_is_named(string fields, string param)
    {
        var error = Assert.Throws<OpenAiException>(() => Parse($$"""{"model":"m", {{fields}} }"""));
        Assert.Equal(param, error.Param);
    }

    private static CompletionRequest Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return CompletionRequest.Parse(document.RootElement);
    }
}
