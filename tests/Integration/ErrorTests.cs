using Google.Rpc;
using Grpc.Core;
using Slm.V1;

namespace Slm.Integration;

public sealed class ErrorTests(Platform platform)
{
    private const string Model = "llama-untied-f32";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_unknown_model_is_named_with_those_there_are()
    {
        var calls = new Func<Task>[]
        {
            () => platform.Inference.GenerateOnceAsync(GenerationTests.Greedy("nonesuch", [1], 1), cancellationToken: Cancelled).ResponseAsync,
            () => platform.Models.DescribeAsync(new DescribeModelRequest { Model = "nonesuch" }, cancellationToken: Cancelled).ResponseAsync,
            () => platform.Tokens.EncodeAsync(new EncodeRequest { Model = "nonesuch", Text = "a" }, cancellationToken: Cancelled).ResponseAsync,
        };
        foreach (var call in calls)
        {
            var (error, status) = await FailAsync(call);
            Assert.Equal(StatusCode.NotFound, error.StatusCode);
            Assert.Contains(Model, error.Status.Detail, StringComparison.Ordinal);
            Assert.Equal("nonesuch", status.GetDetail<ResourceInfo>()!.ResourceName);
            Assert.Contains(Model, status.GetDetail<ErrorInfo>()!.Metadata["known"], StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("../llama-untied-f32")]
    [InlineData("/etc/passwd")]
    [InlineData("")]
    public async Task A_model_name_never_becomes_a_path(string name)
    {
        var (error, _) = await FailAsync(() => platform.Models.GetAsync(new GetModelRequest { Model = name }, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, error.StatusCode);
    }

    [Fact]
    public async Task A_prompt_too_long_is_refused_with_both_numbers()
    {
        var request = GenerationTests.Greedy(Model, Enumerable.Repeat(5, 600), 1);
        var (error, status) = await FailAsync(() => platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Contains("600", error.Status.Detail, StringComparison.Ordinal);
        Assert.Contains("512", error.Status.Detail, StringComparison.Ordinal);
        Assert.Equal("prompt", status.GetDetail<BadRequest>()!.FieldViolations[0].Field);
        var info = status.GetDetail<ErrorInfo>()!;
        Assert.Equal(("CONTEXT_LENGTH_EXCEEDED", "600", "512"), (info.Reason, info.Metadata["prompt_tokens"], info.Metadata["context_length"]));
    }

    [Fact]
    public async Task A_request_whose_time_is_up_ends_with_that_over_grpc_and_http()
    {
        var request = GenerationTests.Greedy(Model, [1, 2, 3], 500);
        request.Scheduling = new SchedulingOptions { TimeoutMs = 1 };
        var (error, status) = await FailAsync(() => platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.DeadlineExceeded, error.StatusCode);
        Assert.Equal("TIME_IS_UP", status.GetDetail<ErrorInfo>()!.Reason);

        using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent($$"""{"model":"{{Model}}","prompt":[1,2,3],"max_tokens":500,"ignore_eos":true}"""),
        };
        message.Headers.Add("X-Request-Timeout-Ms", "1");
        using var answer = await platform.Web.SendAsync(message, Cancelled);
        Assert.Equal(System.Net.HttpStatusCode.GatewayTimeout, answer.StatusCode);
    }

    public static TheoryData<string, Action<GenerateRequest>> WrongFields { get; } = new()
    {
        { "speculation", r => r.Speculation = Speculation.Draft },
        { "scheduling.priority", r => r.Scheduling = new SchedulingOptions { Priority = 101 } },
        { "scheduling.timeout_ms", r => r.Scheduling = new SchedulingOptions { TimeoutMs = 0 } },
        { "sampling.temperature", r => r.Sampling.Temperature = float.NaN },
        { "sampling.temperature", r => r.Sampling.Temperature = -1 },
        { "sampling.top_p", r => r.Sampling.TopP = 0 },
        { "sampling.top_p", r => r.Sampling.TopP = float.PositiveInfinity },
        { "sampling.min_p", r => r.Sampling.MinP = 1 },
        { "sampling.top_k", r => r.Sampling.TopK = -1 },
        { "sampling.max_tokens", r => r.Sampling.MaxTokens = -5 },
        { "sampling.max_tokens", r => r.Sampling.MaxTokens = 0 },
        { "sampling.top_logprobs", r => (r.Sampling.Logprobs, r.Sampling.TopLogprobs) = (true, 21) },
        { "sampling.top_logprobs", r => r.Sampling.TopLogprobs = 2 },
        { "sampling.repetition_penalty", r => r.Sampling.RepetitionPenalty = 0 },
        { "sampling.presence_penalty", r => r.Sampling.PresencePenalty = 3 },
        { "sampling.frequency_penalty", r => r.Sampling.FrequencyPenalty = float.NaN },
        { "sampling.logit_bias", r => r.Sampling.LogitBias[999_999] = 1 },
        { "sampling.stop_token_ids", r => r.Sampling.StopTokenIds.Add(-1) },
        { "sampling.stop", r => r.Sampling.Stop.Add("") },
        { "prompt", r => r.ClearPrompt() },
        { "token_ids", r => r.TokenIds = new TokenIds() },
        { "token_ids.ids[1]", r => r.TokenIds = GenerationTests.Ids([1, 400]) },
        { "token_ids.ids[0]", r => r.TokenIds = GenerationTests.Ids([-1]) },
        { "messages.messages", r => r.Messages = new Messages() },
        { "messages.messages[0].role", r => r.Messages = new Messages { Messages_ = { new ChatMessage { Content = "x" } } } },
        { "messages.template_variables_json", r => r.Messages = new Messages { Messages_ = { new ChatMessage { Role = "user" } }, TemplateVariablesJson = "[1" } },
    };

    [Theory]
    [MemberData(nameof(WrongFields), DisableDiscoveryEnumeration = true)]
    public async Task A_wrong_field_is_named(string field, Action<GenerateRequest> change)
    {
        var request = GenerationTests.Greedy(Model, [1, 2], 3);
        change(request);
        var (error, status) = await FailAsync(() => platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Equal(field, status.GetDetail<BadRequest>()!.FieldViolations[0].Field);
        Assert.NotEmpty(error.Status.Detail);
    }

    [Fact]
    public async Task A_stream_reports_errors_the_same_way()
    {
        var request = GenerationTests.Greedy(Model, [1, 2], 3);
        request.Sampling.TopP = 7;
        using var call = platform.Inference.Generate(request, cancellationToken: Cancelled);
        var error = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(Cancelled));
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Equal("sampling.top_p", error.GetRpcStatus()!.GetDetail<BadRequest>()!.FieldViolations[0].Field);
    }

    [Fact]
    public async Task A_conversation_needs_a_chat_template()
    {
        var request = GenerationTests.Greedy(Model, [], 3);
        request.Messages = new Messages { Messages_ = { new ChatMessage { Role = "user", Content = "Hello" } } };
        var (error, status) = await FailAsync(() => platform.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, error.StatusCode);
        Assert.Equal("NO_CHAT_TEMPLATE", status.GetDetail<ErrorInfo>()!.Reason);
    }

    [Fact]
    public async Task A_broken_model_file_is_listed_as_failed_and_refused_with_the_reason()
    {
        var listed = (await platform.Models.ListAsync(new ListModelsRequest(), cancellationToken: Cancelled)).Models.Single(m => m.Model_ == "broken");
        Assert.Equal(ModelState.Failed, listed.State);
        Assert.NotEmpty(listed.Error);
        var (error, _) = await FailAsync(() => platform.Inference.GenerateOnceAsync(GenerationTests.Greedy("broken", [1], 1), cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.FailedPrecondition, error.StatusCode);
        Assert.Equal(listed.Error, error.Status.Detail);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(4)]
    [InlineData(-1)]
    public async Task More_stages_than_layers_are_refused(int stages)
    {
        var load = new LoadModelRequest { Model = "qwen3-f32", Placement = new Placement { Stages = stages } };
        var (error, status) = await FailAsync(() => platform.Models.LoadAsync(load, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.InvalidArgument, error.StatusCode);
        Assert.Equal("placement.stages", status.GetDetail<BadRequest>()!.FieldViolations[0].Field);
    }

    [Fact]
    public async Task Overload_is_refused_with_a_delay_and_the_running_request_goes_on()
    {
        await using var small = new SmallPlatform();
        await small.InitializeAsync();
        var running = GenerationTests.Greedy(ReferenceModel.Tall, [1, 2, 3], 1);
        running.Sampling.ClearMaxTokens();
        using var call = small.Inference.Generate(running, cancellationToken: Cancelled);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));
        var (error, status) = await FailAsync(() =>
            small.Inference.GenerateOnceAsync(GenerationTests.Greedy(ReferenceModel.Tall, [1], 1), cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.ResourceExhausted, error.StatusCode);
        Assert.True(status.GetDetail<RetryInfo>()!.RetryDelay.ToTimeSpan() > TimeSpan.Zero);
        Assert.True(await call.ResponseStream.MoveNext(Cancelled));
    }

    [Fact]
    public async Task What_is_not_there_yet_says_so()
    {
        var (evaluation, _) = await FailAsync(() => new EvaluatorService.EvaluatorServiceClient(platform.Channel).SubmitAsync(new SubmitEvaluationRequest(), cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(StatusCode.Unimplemented, evaluation.StatusCode);
        Assert.Contains("not there yet", evaluation.Status.Detail, StringComparison.Ordinal);
    }

    private static async Task<(RpcException Error, Google.Rpc.Status Status)> FailAsync(Func<Task> call)
    {
        var error = await Assert.ThrowsAsync<RpcException>(call);
        return (error, error.GetRpcStatus() ?? new Google.Rpc.Status());
    }
}
