using Slm.Engine.Sampling;

namespace Slm.Engine.Tests.Sampling;

public sealed class SamplingOptionsTests
{
    public static TheoryData<string, SamplingOptions, string> OutOfRange => new()
    {
        { "max_tokens", new SamplingOptions { MaxTokens = -1 }, "-1" },
        { "temperature", new SamplingOptions { Temperature = float.NaN }, "NaN" },
        { "temperature", new SamplingOptions { Temperature = -0.1f }, "-0.1" },
        { "temperature", new SamplingOptions { Temperature = float.PositiveInfinity }, "Infinity" },
        { "temperature", new SamplingOptions { Temperature = 100.5f }, "100.5" },
        { "top_k", new SamplingOptions { TopK = -2 }, "-2" },
        { "top_p", new SamplingOptions { TopP = 0 }, "0" },
        { "top_p", new SamplingOptions { TopP = 1.01f }, "1.01" },
        { "top_p", new SamplingOptions { TopP = float.NaN }, "NaN" },
        { "min_p", new SamplingOptions { MinP = 1 }, "1" },
        { "min_p", new SamplingOptions { MinP = float.NaN }, "NaN" },
        { "repetition_penalty", new SamplingOptions { RepetitionPenalty = 0 }, "0" },
        { "repetition_penalty", new SamplingOptions { RepetitionPenalty = float.NegativeInfinity }, "-Infinity" },
        { "presence_penalty", new SamplingOptions { PresencePenalty = 2.5f }, "2.5" },
        { "frequency_penalty", new SamplingOptions { FrequencyPenalty = float.NaN }, "NaN" },
        { "logit_bias", new SamplingOptions { LogitBias = new Dictionary<int, float> { [3] = 101 } }, "101" },
        { "logit_bias", new SamplingOptions { LogitBias = new Dictionary<int, float> { [3] = float.NaN } }, "NaN" },
        { "logit_bias", new SamplingOptions { LogitBias = new Dictionary<int, float> { [10] = 1 } }, "10" },
        { "stop_token_ids", new SamplingOptions { StopTokenIds = [-1] }, "-1" },
        { "stop_token_ids", new SamplingOptions { StopTokenIds = [10] }, "10" },
        { "top_logprobs", new SamplingOptions { TopLogProbs = 21 }, "21" },
    };

    [Theory]
    [MemberData(nameof(OutOfRange), DisableDiscoveryEnumeration = true)]
    public void A_value_out_of_range_is_named_with_its_field(string field, SamplingOptions options, string value)
    {
        var error = Assert.Throws<SamplingOptionException>(() => options.Validate(vocabSize: 10));
        Assert.Equal(field, error.Field);
        Assert.StartsWith(field, error.Message, StringComparison.Ordinal);
        Assert.EndsWith($"is {value}.", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_defaults_and_the_limits_are_valid()
    {
        new SamplingOptions().Validate(10);
        new SamplingOptions
        {
            MaxTokens = 0,
            Temperature = 100,
            TopK = 1000,
            TopP = float.Epsilon,
            MinP = 0.999f,
            RepetitionPenalty = 100,
            PresencePenalty = -2,
            FrequencyPenalty = 2,
            TopLogProbs = 20,
            StopTokenIds = [0, 9],
            LogitBias = new Dictionary<int, float> { [9] = -100 },
        }.Validate(10);
    }
}
