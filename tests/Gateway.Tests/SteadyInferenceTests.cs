using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Slm.V1;
using Status = Grpc.Core.Status;

namespace Slm.Gateway.Tests;

/// <summary>Answers of services whose streams break.</summary>
public sealed class SteadyInferenceTests
{
    private static readonly string[] Words = ["", "On", "cé ", "up", "on", "", " a", " time."];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Wherever_streams_break_the_answer_comes_whole_and_once()
    {
        var breaks = 0;
        for (var seed = 0; seed < 300; seed++)
        {
            var time = new JumpingTime();
            var random = new Random(seed);
            FakeService[] services = [new(random, 0.15), new(random, 0.15)];
            var echo = seed % 2 == 0;
            var pieces = await CollectAsync(new SteadyInference(services, time), new GenerateRequest { Text = "x", Echo = echo });
            Assert.Equal(echo ? 1 : 0, pieces.Count(p => p.IsPrompt));
            var answer = pieces.Where(p => !p.IsPrompt).ToList();
            Assert.Equal(string.Concat(Words), string.Concat(answer.Select(p => p.Text)));
            Assert.Equal(Enumerable.Range(0, Words.Length), answer.SelectMany(p => p.TokenIds));
            Assert.Equal(FinishReason.Length, answer[^1].FinishReason);
            var seeds = services.SelectMany(s => s.Seeds).Distinct().ToList();
            Assert.True(Assert.Single(seeds) < 1UL << 53);
            breaks += services.Sum(s => s.Breaks);
        }

        Assert.True(breaks > 300, $"{breaks} breaks");
    }

    [Fact]
    public async Task A_whole_answer_is_put_together_from_what_broken_streams_brought()
    {
        var breaks = 0;
        for (var seed = 0; seed < 100; seed++)
        {
            var service = new FakeService(new Random(seed), 0.15);
            var whole = await new SteadyInference([service], new JumpingTime()).GenerateOnceAsync(new GenerateRequest { Text = "x", Echo = true }, Token);
            Assert.Equal((string.Concat(Words), "x", FinishReason.Length), (whole.Text, whole.PromptText, whole.FinishReason));
            Assert.Equal(Enumerable.Range(0, Words.Length), whole.TokenIds);
            breaks += service.Breaks;
        }

        Assert.True(breaks > 50, $"{breaks} breaks");
    }

    [Fact]
    public async Task Scores_and_vectors_are_asked_for_again_within_their_time()
    {
        var time = new JumpingTime();
        var service = new FakeService(new Random(1), 0) { Losses = 3 };
        Assert.Equal(-1.5, (await new SteadyInference([service], time).ScoreAsync(new ScoreRequest(), Token)).SumLogprob);
        Assert.Equal([100, 200, 400], time.Delays.Select(d => d.TotalMilliseconds));
        service = new FakeService(new Random(1), 0) { Losses = 2 };
        Assert.Equal(3, (await new SteadyInference([service], time).EmbedAsync(new EmbedRequest(), Token)).PromptTokens);

        service = new FakeService(new Random(1), 0) { Losses = 9 };
        var request = new ScoreRequest { Scheduling = new SchedulingOptions { TimeoutMs = 500 } };
        var error = await Assert.ThrowsAsync<RpcException>(() => new SteadyInference([service], time).ScoreAsync(request, Token));
        Assert.Equal((StatusCode.Unavailable, 6), (error.StatusCode, service.Losses));
        service = new FakeService(new Random(1), 0) { Losses = 1, Code = StatusCode.InvalidArgument };
        await Assert.ThrowsAsync<RpcException>(() => new SteadyInference([service], time).EmbedAsync(new EmbedRequest(), Token));
        Assert.Equal(0, service.Losses);
    }

    [Fact]
    public async Task A_given_seed_is_kept_and_the_request_unchanged()
    {
        var service = new FakeService(new Random(1), 0.3);
        var request = new GenerateRequest { Text = "x", Sampling = new SamplingOptions { Seed = ulong.MaxValue } };
        await CollectAsync(new SteadyInference([service], new JumpingTime()), request);
        Assert.All(service.Seeds, seed => Assert.Equal(ulong.MaxValue, seed));
        Assert.Empty(request.ResumeTokenIds);
    }

    [Fact]
    public async Task A_service_that_stays_away_is_asked_seven_times_with_growing_delays()
    {
        var time = new JumpingTime();
        var service = new FakeService(new Random(1), 1);
        var error = await Assert.ThrowsAsync<RpcException>(() => CollectAsync(new SteadyInference([service], time), new GenerateRequest { Text = "x" }));
        Assert.Equal(StatusCode.Unavailable, error.StatusCode);
        Assert.Equal([100, 200, 400, 800, 1600, 3200], time.Delays.Select(d => d.TotalMilliseconds));
    }

    [Fact]
    public async Task The_services_own_delay_and_the_requests_time_are_kept()
    {
        var time = new JumpingTime();
        var service = new FakeService(new Random(1), 1) { RetryDelay = TimeSpan.FromSeconds(3) };
        var request = new GenerateRequest { Text = "x", Scheduling = new SchedulingOptions { TimeoutMs = 10_000 } };
        await Assert.ThrowsAsync<RpcException>(() => CollectAsync(new SteadyInference([service], time), request));
        Assert.Equal([3, 3, 3], time.Delays.Select(d => d.TotalSeconds));
        Assert.Equal([10_000, 7_000, 4_000, 1_000], service.Timeouts);
    }

    [Fact]
    public async Task A_wrong_request_is_not_sent_again()
    {
        var time = new JumpingTime();
        var service = new FakeService(new Random(1), 1) { Code = StatusCode.InvalidArgument };
        await Assert.ThrowsAsync<RpcException>(() => CollectAsync(new SteadyInference([service], time), new GenerateRequest { Text = "x" }));
        Assert.Empty(time.Delays);
    }

    private static async Task<List<GenerateResponse>> CollectAsync(SteadyInference generation, GenerateRequest request)
    {
        var pieces = new List<GenerateResponse>();
        await foreach (var piece in generation.GenerateAsync(request, Token))
            pieces.Add(piece);
        return pieces;
    }

    /// <summary>Gives the words one by one, from where the request goes on, and breaks off at random.</summary>
    private sealed class FakeService(Random random, double breakRate) : InferenceService.InferenceServiceClient
    {
        public TimeSpan? RetryDelay { get; init; }

        public StatusCode Code { get; init; } = StatusCode.Unavailable;

        public int Breaks { get; private set; }

        /// <summary>Calls that are answered as a whole which are still to fail.</summary>
        public int Losses { get; set; }

        public List<ulong> Seeds { get; } = [];

        public List<long> Timeouts { get; } = [];

        public override AsyncServerStreamingCall<GenerateResponse> Generate(GenerateRequest request, Metadata headers = null!, DateTime? deadline = null, CancellationToken cancellationToken = default)
        {
            Seeds.Add(request.Sampling.Seed);
            Timeouts.Add(request.Scheduling?.TimeoutMs ?? 0);
            Assert.Equal(Enumerable.Range(0, request.ResumeTokenIds.Count), request.ResumeTokenIds);
            var words = Words[..request.ResumeTokenIds.Count];
            Assert.Equal(System.Text.Encoding.UTF8.GetByteCount(string.Concat(words)), request.ResumeTextBytes);
            return new AsyncServerStreamingCall<GenerateResponse>(
                new Reader(Pieces(request.ResumeTokenIds.Count, request.Echo).GetEnumerator()), Task.FromResult(new Metadata()), () => Status.DefaultSuccess, () => [], () => { });
        }

        public override AsyncUnaryCall<ScoreResponse> ScoreAsync(ScoreRequest request, Metadata headers = null!, DateTime? deadline = null, CancellationToken cancellationToken = default) =>
            Unary(new ScoreResponse { SumLogprob = -1.5 });

        public override AsyncUnaryCall<EmbedResponse> EmbedAsync(EmbedRequest request, Metadata headers = null!, DateTime? deadline = null, CancellationToken cancellationToken = default) =>
            Unary(new EmbedResponse { PromptTokens = 3 });

        private AsyncUnaryCall<T> Unary<T>(T response)
        {
            var answer = Losses-- > 0 ? Task.FromException<T>(new RpcException(new Status(Code, "gone"))) : Task.FromResult(response);
            return new AsyncUnaryCall<T>(answer, Task.FromResult(new Metadata()), () => Status.DefaultSuccess, () => [], () => { });
        }

        private IEnumerable<GenerateResponse> Pieces(int from, bool echo)
        {
            if (echo && from == 0)
                yield return Whole(new GenerateResponse { Text = "x", IsPrompt = true });
            for (var i = from; i < Words.Length; i++)
            {
                if (breakRate < 1 && random.NextDouble() < breakRate / 4)
                {
                    // The stream ends as if all were said.
                    Breaks++;
                    yield break;
                }

                var piece = new GenerateResponse { Text = Words[i], FinishReason = i == Words.Length - 1 ? FinishReason.Length : FinishReason.Unspecified };
                piece.TokenIds.Add(i);
                yield return Whole(piece);
            }
        }

        private GenerateResponse Whole(GenerateResponse piece)
        {
            if (random.NextDouble() >= breakRate)
                return piece;
            Breaks++;
            if (RetryDelay is { } delay)
            {
                var status = new Google.Rpc.Status { Code = (int)Code };
                status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = Duration.FromTimeSpan(delay) }));
                throw status.ToRpcException();
            }

            throw random.Next(2) == 0 || Code != StatusCode.Unavailable
                ? new RpcException(new Status(Code, "gone"))
                : new RpcException(new Status(breakRate < 1 ? StatusCode.Internal : Code, "reset", new IOException("connection reset")));
        }
    }

    private sealed class Reader(IEnumerator<GenerateResponse> pieces) : IAsyncStreamReader<GenerateResponse>
    {
        public GenerateResponse Current => pieces.Current;

        public Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            try
            {
                return Task.FromResult(pieces.MoveNext());
            }
            catch (RpcException error)
            {
                return Task.FromException<bool>(error);
            }
        }
    }

    /// <summary>A clock that jumps to the end of every delay.</summary>
    private sealed class JumpingTime : TimeProvider
    {
        private long _ticks = 1;

        public List<TimeSpan> Delays { get; } = [];

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Delays.Add(dueTime);
            _ticks += dueTime.Ticks;
            return System.CreateTimer(callback, state, TimeSpan.Zero, Timeout.InfiniteTimeSpan);
        }
    }
}
