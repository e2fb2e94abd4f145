using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Google.Rpc;
using Grpc.Core;
using Slm.V1;

namespace Slm.Integration;

/// <summary>An encoder-decoder and an encoder, through gRPC and HTTP.</summary>
public sealed class EncoderTests(Platform platform)
{
    private const string T5 = "t5-f32";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_encoder_decoder_answers_the_same_in_one_stage_and_in_four()
    {
        int[] input = [191, 340, 49, 207, 122, 308, 208, 213];
        var request = GenerationTests.Greedy(T5, input, 12);
        request.Sampling.Logprobs = true;
        var whole = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        Assert.Equal((12, input.Length), (whole.TokenIds.Count, (int)whole.Usage.PromptTokens));
        await platform.Models.LoadAsync(new LoadModelRequest { Model = T5, Placement = new Placement { Stages = 4 } }, cancellationToken: Cancelled);
        var split = await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
        Assert.Equal(whole.TokenIds, split.TokenIds);
        Assert.Equal(whole.Logprobs.Select(t => t.Logprob), split.Logprobs.Select(t => t.Logprob));

        var other = GenerationTests.Greedy(T5, [1, 2, 3], 12);
        Assert.NotEqual(whole.TokenIds, (await platform.Inference.GenerateOnceAsync(other, cancellationToken: Cancelled)).TokenIds);
        var score = await platform.Inference.ScoreAsync(
            new ScoreRequest { Model = T5, TokenIds = GenerationTests.Ids(input), ContinuationIds = GenerationTests.Ids(whole.TokenIds) }, cancellationToken: Cancelled);
        Assert.True(score.IsGreedy);
        Assert.Equal(whole.Logprobs.Select(t => t.Logprob), score.Tokens.Select(t => t.Logprob));
        await RefusedAsync(() => platform.Inference.EmbedAsync(new EmbedRequest { Model = T5, Inputs = { new EmbedInput { Text = "cat" } } }, cancellationToken: Cancelled).ResponseAsync);
    }

    [Fact]
    public async Task An_encoder_embeds_texts_alone_and_together_in_any_number_of_stages()
    {
        string[] texts = ["The cat sat on the mat.", "cats", "a", string.Join(' ', Enumerable.Repeat("mat", 590))];
        var request = new EmbedRequest { Model = ReferenceModel.Bert, Inputs = { texts.Select(t => new EmbedInput { Text = t }) } };
        var together = await platform.Inference.EmbedAsync(request, cancellationToken: Cancelled);
        Assert.Equal(9 + 4 + 3 + 592, together.PromptTokens);
        await platform.Models.LoadAsync(new LoadModelRequest { Model = ReferenceModel.Bert, Placement = new Placement { Stages = 2 } }, cancellationToken: Cancelled);
        for (var i = 0; i < texts.Length; i++)
        {
            var alone = await platform.Inference.EmbedAsync(
                new EmbedRequest { Model = ReferenceModel.Bert, Inputs = { new EmbedInput { Text = texts[i] } } }, cancellationToken: Cancelled);
            Assert.Equal(together.Embeddings[i].Values, alone.Embeddings[0].Values);
            Assert.Equal(1, alone.Embeddings[0].Values.Sum(v => (double)v * v), 1e-5);
        }

        using var answer = await platform.Web.PostAsJsonAsync("/v1/embeddings", new { model = ReferenceModel.Bert, input = texts[..2] }, Cancelled);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var data = (await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("data");
        for (var i = 0; i < 2; i++)
            Assert.Equal(together.Embeddings[i].Values, data[i].GetProperty("embedding").EnumerateArray().Select(v => v.GetSingle()));
    }

    [Fact]
    public async Task An_encoder_refuses_to_generate_in_words_and_is_listed()
    {
        var error = await RefusedAsync(() => platform.Inference.GenerateOnceAsync(GenerationTests.Greedy(ReferenceModel.Bert, [5], 1), cancellationToken: Cancelled).ResponseAsync);
        Assert.Contains("embeddings", error.Status.Detail, StringComparison.Ordinal);
        await RefusedAsync(() => platform.Inference.ScoreAsync(
            new ScoreRequest { Model = ReferenceModel.Bert, TokenIds = GenerationTests.Ids([5]), ContinuationIds = GenerationTests.Ids([6]) }, cancellationToken: Cancelled).ResponseAsync);
        using var completion = await platform.Web.PostAsJsonAsync("/v1/completions", new { model = ReferenceModel.Bert, prompt = "cat", max_tokens = 3 }, Cancelled);
        Assert.Equal(HttpStatusCode.BadRequest, completion.StatusCode);
        Assert.Contains("embeddings", await completion.Content.ReadAsStringAsync(Cancelled), StringComparison.Ordinal);
        using var chat = await platform.Web.PostAsJsonAsync(
            "/v1/chat/completions", new { model = ReferenceModel.Bert, messages = new[] { new { role = "user", content = "cat" } } }, Cancelled);
        Assert.Equal(HttpStatusCode.BadRequest, chat.StatusCode);
        var described = await platform.Models.DescribeAsync(new DescribeModelRequest { Model = ReferenceModel.Bert }, cancellationToken: Cancelled);
        Assert.Equal(("bert", 2), (described.Model.Architecture, described.Layers));
        Assert.Contains(ReferenceModel.Bert, await platform.Web.GetStringAsync("/v1/models", Cancelled), StringComparison.Ordinal);
    }

    private static async Task<RpcException> RefusedAsync(Func<Task> call)
    {
        var error = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(StatusCode.FailedPrecondition, error.StatusCode);
        Assert.Equal("MODEL_CANNOT_DO_THIS", error.GetRpcStatus()!.GetDetail<ErrorInfo>()!.Reason);
        return error;
    }
}
