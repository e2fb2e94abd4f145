using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Slm.Gateway.OpenAi;
using Slm.V1;

namespace Slm.Gateway.Tests;

public sealed class WireMappingTests
{
    [Fact]
    public void Text_offsets_count_code_points_of_the_text()
    {
        // "a", the four bytes of an emoji over two tokens, "b".
        var emoji = Encoding.UTF8.GetBytes("😀");
        var offset = 0;
        var logprobs = WireMapping.Text([Token("a"u8), Token(emoji.AsSpan(0, 2)), Token(emoji.AsSpan(2)), Token("b"u8)], ref offset);
        Assert.Equal([0, 1, 2, 2], logprobs.TextOffset);
        Assert.Equal(3, offset);
        Assert.Equal(["a", "bytes:\\xf0\\x9f", "bytes:\\x98\\x80", "b"], logprobs.Tokens);
    }

    [Fact]
    public void The_first_prompt_token_has_null_and_every_other_its_top_map()
    {
        var first = new TokenLogProb { Token = "x", Bytes = ByteString.CopyFromUtf8("x") };
        var second = Token("y"u8);
        second.Top.Add(new TopLogProb { Token = "z", Bytes = ByteString.CopyFromUtf8("z"), Logprob = -0.25f });
        var offset = 0;
        var logprobs = WireMapping.Text([first, second], ref offset);
        Assert.Null(logprobs.TokenLogprobs[0]);
        Assert.Null(logprobs.TopLogprobs[0]);
        Assert.Equal(new Dictionary<string, float> { ["z"] = -0.25f, ["y"] = -1.5f }, logprobs.TopLogprobs[1]);
    }

    [Fact]
    public void A_greedy_token_prints_the_same_digits_in_both_places()
    {
        var token = Token("y"u8);
        token.Logprob = -0.123456789f;
        token.Top.Add(new TopLogProb { Token = "y", Bytes = token.Bytes, Logprob = token.Logprob });
        var offset = 0;
        var json = JsonSerializer.Serialize(
            new TextCompletion("i", "o", 0, "m", null, [new TextChoice(0, "y", WireMapping.Text([token], ref offset), "stop")], null), WireContext.Shared.TextCompletion);
        using var document = JsonDocument.Parse(json);
        var logprobs = document.RootElement.GetProperty("choices")[0].GetProperty("logprobs");
        Assert.Equal(logprobs.GetProperty("token_logprobs")[0].GetRawText(), logprobs.GetProperty("top_logprobs")[0].GetProperty("y").GetRawText());
    }

    [Fact]
    public void Choices_of_one_prompt_count_it_once()
    {
        Usage[] usage = [new() { PromptTokens = 5, CompletionTokens = 1 }, new() { PromptTokens = 5, CompletionTokens = 2 }, new() { PromptTokens = 7, CompletionTokens = 3 }, new() { PromptTokens = 7, CompletionTokens = 4 }];
        var body = WireMapping.Usage(usage, 2);
        Assert.Equal((12, 10, 22), (body.PromptTokens, body.CompletionTokens, body.TotalTokens));
    }

    [Fact]
    public void Text_is_not_escaped_beyond_what_JSON_needs()
    {
        var json = JsonSerializer.Serialize(new DetokenizeBody("é \"<😀>\" \n"), WireContext.Shared.DetokenizeBody);
        Assert.Equal("{\"prompt\":\"é \\\"<😀>\\\" \\n\"}".Replace("😀", "\\uD83D\\uDE00", StringComparison.Ordinal), json);
    }

    private static TokenLogProb Token(ReadOnlySpan<byte> bytes) => new() { Bytes = ByteString.CopyFrom(bytes), Token = Encoding.UTF8.GetString(bytes), Logprob = -1.5f };
}
