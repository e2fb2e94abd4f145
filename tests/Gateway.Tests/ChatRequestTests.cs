using System.Text.Json;
using Slm.Gateway.OpenAi;

namespace Slm.Gateway.Tests;

public sealed class ChatRequestTests
{
    private const string Messages = """ "model": "m", "messages": [{"role": "user", "content": "hi"}] """;

    [Fact]
    public void All_sampling_fields_reach_the_contract()
    {
        var request = Parse($$"""
            { {{Messages}}, "max_completion_tokens": 7, "temperature": 0.5, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "seed": -3, "n": 2,
              "stop": ["a", "b"], "presence_penalty": 0.1, "frequency_penalty": -0.2, "repetition_penalty": 1.1, "logit_bias": {"5": -100},
              "logprobs": true, "top_logprobs": 3, "stream": true, "stream_options": {"include_usage": true}, "ignore_eos": true, "stop_token_ids": [9] }
            """);
        var sampling = request.Prototype.Sampling;
        Assert.Equal(7, sampling.MaxTokens);
        Assert.Equal(0.5f, sampling.Temperature);
        Assert.Equal(0.9f, sampling.TopP);
        Assert.Equal(40, sampling.TopK);
        Assert.Equal(0.05f, sampling.MinP);
        Assert.Equal(unchecked((ulong)-3), sampling.Seed);
        Assert.Equal(["a", "b"], sampling.Stop);
        Assert.Equal(0.1f, sampling.PresencePenalty);
        Assert.Equal(-0.2f, sampling.FrequencyPenalty);
        Assert.Equal(1.1f, sampling.RepetitionPenalty);
        Assert.Equal(-100f, sampling.LogitBias[5]);
        Assert.True(sampling.Logprobs);
        Assert.Equal(3, sampling.TopLogprobs);
        Assert.True(sampling.IgnoreEos);
        Assert.Equal([9], sampling.StopTokenIds);
        Assert.True(request is { Stream: true, IncludeUsage: true, Choices: 2 });
    }

    [Fact]
    public void Unset_fields_stay_unset_so_that_the_service_decides()
    {
        var sampling = Parse($$"""{ {{Messages}} }""").Prototype.Sampling;
        Assert.False(sampling.HasTemperature || sampling.HasMaxTokens || sampling.HasSeed || sampling.HasTopP || sampling.HasLogprobs);
    }

    [Fact]
    public void Each_choice_of_a_seeded_request_has_a_seed_of_its_own()
    {
        var sampling = Parse($$"""{ {{Messages}}, "seed": 18446744073709551615 }""").Prototype.Sampling;
        Assert.Equal(ulong.MaxValue, SamplingFields.ForChoice(sampling, 0).Seed);
        Assert.Equal(1UL, SamplingFields.ForChoice(sampling, 2).Seed);
    }

    [Fact]
    public void Text_parts_are_joined()
    {
        var request = Parse("""{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}""");
        Assert.Equal("ab", request.Prototype.Messages.Messages_[0].Content);
    }

    [Theory]
    [InlineData("{}", "model")]
    [InlineData("[]", "body")]
    [InlineData("""{"model":"m"}""", "messages")]
    [InlineData("""{"model":"m","messages":[]}""", "messages")]
    [InlineData("""{"model":"m","messages":[{"role":"robot","content":"x"}]}""", "messages[0].role")]
    [InlineData("""{"model":"m","messages":[{"role":"user"}]}""", "messages[0].content")]
    [InlineData("""{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]}""", "messages[0].content[0].type")]
    public void A_malformed_body_names_its_field(string body, string param) => Refused(body, param);

    [Theory]
    [InlineData("\"temperature\": \"hot\"", "temperature")]
    [InlineData("\"temperature\": 1e300", "temperature")]
    [InlineData("\"n\": 0", "n")]
    [InlineData("\"n\": 1000000", "n")]
    [InlineData("\"top_logprobs\": 21", "top_logprobs")]
    [InlineData("\"top_logprobs\": 2", "top_logprobs")]
    [InlineData("\"logit_bias\": {\"x\": 1}", "logit_bias")]
    [InlineData("\"stop\": [1]", "stop[0]")]
    [InlineData("\"stream_options\": {\"include_usage\": true}", "stream_options")]
    [InlineData("\"functions\": [{\"name\":\"f\"}]", "functions")]
    [InlineData("\"reasoning_effort\": \"high\"", "reasoning_effort")]
    [InlineData("\"temprature\": 1", "temprature")]
    [InlineData("\"max_tokens\": 0", "max_tokens")]
    public void A_field_that_is_wrong_or_not_honoured_is_refused_by_name(string field, string param) => Refused($$"""{ {{Messages}}, {{field}} }""", param);

    [Fact]
    public void Harmless_fields_are_accepted()
    {
        Parse($$"""{ {{Messages}}, "user": "u", "store": false, "metadata": {}, "service_tier": "auto", "tools": [], "response_format": {"type": "text"}, "temperature": null }""");
    }

    private static ChatRequest Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return ChatRequest.Parse(document.RootElement);
    }

    private static void Refused(string json, string param)
    {
        var error = Assert.Throws<OpenAiException>(() => Parse(json));
        Assert.Equal(param, error.Param);
        Assert.Equal(400, error.Status);
        if (param != "body")
            Assert.Contains(param, error.Message);
    }
}
