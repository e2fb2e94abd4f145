using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Google.Rpc;
using Grpc.Core;
using Slm.Runtime;
using Slm.V1;
using SamplingOptions = Slm.Engine.Sampling.SamplingOptions;

namespace Slm.Integration;

/// <summary>LoRA adapters through every face of the platform. The tests share a model, so each has adapter names of its own; others that load it otherwise are in the same collection.</summary>
[Collection(AdapterFile.Tall)]
public sealed class AdapterTests(Platform platform)
{
    private const string Model = AdapterFile.Model;
    private static readonly int[] Prompt = [.. Enumerable.Range(5, 40)];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Answers_are_those_of_the_adapter_in_this_process_however_it_is_chosen()
    {
        var formal = await LoadAsync("one-formal", "formal");
        var pirate = await LoadAsync("one-pirate", "pirate", strength: 0.5f);
        Assert.Equal((Model, "one-formal", 4, 40f, 1f), (formal.Model, formal.Adapter_, formal.Rank, formal.Alpha, formal.Strength));
        Assert.True(formal.Parameters > 0 && formal.Tensors > 10);
        var expected = new[] { await LocalAsync(null, 1), await LocalAsync("formal", 1), await LocalAsync("pirate", 0.5f) };
        Assert.Equal(3, expected.Select(e => string.Join(' ', e)).Distinct().Count());

        // All in one batch, twice: the second time from the cache.
        for (var round = 0; round < 2; round++)
        {
            var answers = await Task.WhenAll(
                AskAsync(Model, null), AskAsync(Model, "one-formal"), AskAsync(Model, "one-pirate"), AskAsync($"{Model}:one-formal", null), AskAsync($"{Model}:one-pirate", "one-pirate"));
            Assert.Equal(
                [expected[0], expected[1], expected[2], expected[1], expected[2]], answers.Select(a => a.TokenIds.ToArray()));
            var fingerprints = answers.Select(a => a.Usage.SystemFingerprint).ToArray();
            Assert.Equal([formal.SystemFingerprint, pirate.SystemFingerprint, formal.SystemFingerprint, pirate.SystemFingerprint], fingerprints[1..]);
            Assert.Equal(3, fingerprints.Distinct().Count());
        }

        using var response = await platform.Web.PostAsJsonAsync("/v1/completions", new { model = $"{Model}:one-formal", prompt = Prompt, max_tokens = 12, temperature = 0, ignore_eos = true }, Cancelled);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
        Assert.True(response.IsSuccessStatusCode, body.GetRawText());
        Assert.Equal($"{Model}:one-formal", body.GetProperty("model").GetString());
        Assert.Equal(formal.SystemFingerprint, body.GetProperty("system_fingerprint").GetString());
        Assert.Equal((await AskAsync(Model, "one-formal")).Text, body.GetProperty("choices")[0].GetProperty("text").GetString());
    }

    [Fact]
    public async Task Scores_and_embeddings_use_the_adapter_too()
    {
        await LoadAsync("two", "formal");
        var scores = new HashSet<double>();
        var vectors = new HashSet<float>();
        foreach (var model in new[] { Model, $"{Model}:two" })
        {
            var score = new ScoreRequest { Model = model, TokenIds = new TokenIds { Ids = { Prompt } }, ContinuationIds = new TokenIds { Ids = { 9, 8, 7 } } };
            Assert.True(scores.Add((await platform.Inference.ScoreAsync(score, cancellationToken: Cancelled)).SumLogprob));
            var embed = new EmbedRequest { Model = model, Inputs = { new EmbedInput { TokenIds = new TokenIds { Ids = { Prompt } } } } };
            Assert.True(vectors.Add((await platform.Inference.EmbedAsync(embed, cancellationToken: Cancelled)).Embeddings[0].Values[0]));
        }

        var byField = new EmbedRequest { Model = Model, Adapter = "two", Inputs = { new EmbedInput { TokenIds = new TokenIds { Ids = { Prompt } } } } };
        Assert.False(vectors.Add((await platform.Inference.EmbedAsync(byField, cancellationToken: Cancelled)).Embeddings[0].Values[0]));
        using var response = await platform.Web.PostAsJsonAsync("/v1/embeddings", new { model = $"{Model}:two", input = Prompt }, Cancelled);
        var body = await response.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
        Assert.False(vectors.Add(body.GetProperty("data")[0].GetProperty("embedding")[0].GetSingle()));
    }

    [Fact]
    public async Task A_loaded_adapter_is_listed_and_described_until_it_is_unloaded()
    {
        await LoadAsync("three", "formal");
        var listed = await platform.Models.ListAdaptersAsync(new ListAdaptersRequest { Model = Model }, cancellationToken: Cancelled);
        Assert.Contains("three", listed.Adapters.Select(a => a.Adapter_));
        var described = await platform.Models.DescribeAsync(new DescribeModelRequest { Model = Model }, cancellationToken: Cancelled);
        Assert.Contains("three", described.Model.Adapters.Select(a => a.Adapter_));
        var models = await platform.Web.GetFromJsonAsync<JsonElement>("/v1/models", Cancelled);
        var entry = Assert.Single(models.GetProperty("data").EnumerateArray(), m => m.GetProperty("id").GetString() == $"{Model}:three");
        Assert.Equal(Model, entry.GetProperty("parent").GetString());
        Assert.Equal($"{Model}:three", (await platform.Web.GetFromJsonAsync<JsonElement>($"/v1/models/{Model}:three", Cancelled)).GetProperty("id").GetString());
        var tokens = await platform.Tokens.GetTokenizerInfoAsync(new GetTokenizerInfoRequest { Model = $"{Model}:three" }, cancellationToken: Cancelled);
        Assert.True(tokens.VocabSize > 0);

        var unloaded = await platform.Models.UnloadAdapterAsync(new UnloadAdapterRequest { Model = Model, Adapter = "three" }, cancellationToken: Cancelled);
        Assert.Equal("three", unloaded.Adapter_);
        listed = await platform.Models.ListAdaptersAsync(new ListAdaptersRequest { Model = Model }, cancellationToken: Cancelled);
        Assert.DoesNotContain("three", listed.Adapters.Select(a => a.Adapter_));
        var error = await Assert.ThrowsAsync<RpcException>(() => AskAsync(Model, "three"));
        Assert.Equal(StatusCode.NotFound, error.StatusCode);
        var status = error.GetRpcStatus()!;
        Assert.Equal(("adapter", "three"), (status.GetDetail<ResourceInfo>()!.ResourceType, status.GetDetail<ResourceInfo>()!.ResourceName));
        Assert.Equal("ADAPTER_NOT_FOUND", status.GetDetail<ErrorInfo>()!.Reason);
        using var response = await platform.Web.PostAsJsonAsync("/v1/completions", new { model = $"{Model}:three", prompt = Prompt }, Cancelled);
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        var body = (await response.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("error");
        Assert.Equal("model_not_found", body.GetProperty("code").GetString());
        Assert.Contains("three", body.GetProperty("message").GetString(), StringComparison.Ordinal);
        using var none = await platform.Web.GetAsync($"/v1/models/{Model}:three", Cancelled);
        Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
    }

    [Fact]
    public async Task Adapters_are_loaded_and_unloaded_as_json()
    {
        using var loaded = await platform.Web.PostAsJsonAsync($"/v1/deployments/{Model}/adapters/four:load", new { file = "pirate", strength = 0.25 }, Cancelled);
        var adapter = await loaded.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
        Assert.True(loaded.IsSuccessStatusCode, adapter.GetRawText());
        Assert.Equal(0.25, adapter.GetProperty("strength").GetDouble());
        var listed = await platform.Web.GetFromJsonAsync<JsonElement>($"/v1/deployments/{Model}/adapters", Cancelled);
        Assert.Contains("four", listed.GetProperty("adapters").EnumerateArray().Select(a => a.GetProperty("adapter").GetString()));
        using var unloaded = await platform.Web.PostAsJsonAsync($"/v1/deployments/{Model}/adapters/four:unload", new { }, Cancelled);
        Assert.True(unloaded.IsSuccessStatusCode);
    }

    [Fact]
    public async Task What_is_wrong_with_an_adapter_is_said()
    {
        var (code, status) = await RefusedAsync(new LoadAdapterRequest { Model = Model, Adapter = "nonesuch" });
        Assert.Equal((StatusCode.NotFound, "ADAPTER_FILE_NOT_FOUND"), (code, status.GetDetail<ErrorInfo>()!.Reason));
        Assert.Contains("pirate", status.Message, StringComparison.Ordinal);
        (code, status) = await RefusedAsync(new LoadAdapterRequest { Model = Model, Adapter = "../adapters/pirate" });
        Assert.Equal(StatusCode.NotFound, code);
        (code, status) = await RefusedAsync(new LoadAdapterRequest { Model = Model, Adapter = "foreign" });
        Assert.Equal((StatusCode.FailedPrecondition, "ADAPTER_INVALID"), (code, status.GetDetail<ErrorInfo>()!.Reason));
        Assert.Equal("general.architecture", status.GetDetail<ErrorInfo>()!.Metadata["subject"]);
        Assert.Contains("minicpm", status.Message, StringComparison.Ordinal);
        (code, status) = await RefusedAsync(new LoadAdapterRequest { Model = Model, Adapter = "" });
        Assert.Equal((StatusCode.InvalidArgument, "adapter"), (code, status.GetDetail<BadRequest>()!.FieldViolations[0].Field));
        (code, status) = await RefusedAsync(new LoadAdapterRequest { Model = Model, Adapter = "pirate", Strength = float.NaN });
        Assert.Equal((StatusCode.InvalidArgument, "strength"), (code, status.GetDetail<BadRequest>()!.FieldViolations[0].Field));
        await LoadAsync("five", "formal");
        var error = await Assert.ThrowsAsync<RpcException>(() => AskAsync($"{Model}:five", "six"));
        Assert.Equal((StatusCode.InvalidArgument, "adapter"), (error.StatusCode, error.GetRpcStatus()!.GetDetail<BadRequest>()!.FieldViolations[0].Field));
    }

    /// <summary>Each stage has its part of the adapter.</summary>
    [Fact]
    public async Task Stages_give_the_answer_of_one()
    {
        const string Tall = AdapterFile.Tall;
        var answers = new List<int[]>();
        foreach (var stages in new[] { 1, 3, ReferenceModel.TallLayers })
        {
            await platform.Models.LoadAsync(new LoadModelRequest { Model = Tall, Placement = new Placement { Stages = stages } }, cancellationToken: Cancelled);
            var plain = await AskAsync(Tall, null);
            await platform.Models.LoadAdapterAsync(new LoadAdapterRequest { Model = Tall, Adapter = Tall }, cancellationToken: Cancelled);
            answers.Add([.. (await AskAsync(Tall, Tall)).TokenIds]);
            Assert.NotEqual(plain.TokenIds, answers[^1]);
            Assert.Equal(plain.TokenIds, (await AskAsync(Tall, null)).TokenIds);
        }

        Assert.Equal(answers[0], answers[1]);
        Assert.Equal(answers[0], answers[2]);
    }

    private static async Task<int[]> LocalAsync(string? adapter, float strength)
    {
        var folder = Directory.CreateTempSubdirectory("slm-adapters-").FullName;
        try
        {
            AdapterFile.WriteAll(folder);
            await using var model = TextModel.Open(ReferenceModel.PathOf(Model), new TextModelOptions { Threads = 1 });
            if (adapter is not null)
                await model.LoadAdapterAsync("a", Path.Combine(folder, $"{adapter}.gguf"), strength, Cancelled);
            var request = new TextRequest
            {
                Prompt = new TextPrompt.Tokens(Prompt),
                Adapter = adapter is null ? null : "a",
                Sampling = new SamplingOptions { Temperature = 0, MaxTokens = 12, IgnoreEos = true },
            };
            return [.. (await model.GenerateAsync(request, Cancelled).ToListAsync(Cancelled)).SelectMany(c => c.TokenIds)];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private async Task<Adapter> LoadAsync(string name, string file, float? strength = null)
    {
        var request = new LoadAdapterRequest { Model = Model, Adapter = name, File = file };
        if (strength is { } given)
            request.Strength = given;
        return await platform.Models.LoadAdapterAsync(request, cancellationToken: Cancelled);
    }

    private async Task<GenerateOnceResponse> AskAsync(string model, string? adapter)
    {
        var request = GenerationTests.Greedy(model, Prompt, 12);
        request.Sampling.IgnoreEos = true;
        if (adapter is not null)
            request.Adapter = adapter;
        return await platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled);
    }

    private async Task<(StatusCode Code, Google.Rpc.Status Status)> RefusedAsync(LoadAdapterRequest request)
    {
        var error = await Assert.ThrowsAsync<RpcException>(() => platform.Models.LoadAdapterAsync(request, cancellationToken: Cancelled).ResponseAsync);
        return (error.StatusCode, error.GetRpcStatus()!);
    }
}
