using System.Diagnostics;
using Grpc.Core;
using Slm.V1;

namespace Slm.Cluster.Tests;

/// <summary>Several answers at a time, each with other options, and what came of them.</summary>
internal static class Streams
{
    /// <summary>Tokens that every stream has had before it is disturbed: none is near its end then.</summary>
    public const int Some = 10;

    /// <summary>Requests that have little in common: greedy and sampled, with log-probabilities, penalties and stops.</summary>
    /// <param name="count">How many.</param>
    /// <param name="tokens">Tokens of each answer.</param>
    /// <param name="model">The model that is asked.</param>
    public static GenerateRequest[] Requests(int count, int tokens, string model = SiloCluster.Model) => [.. Enumerable.Range(0, count).Select(i =>
    {
        string[] animals = ["fox", "bear", "cat", "dog", "mouse", "owl", "duck", "frog"];
        var request = new GenerateRequest
        {
            Model = model,
            Text = $"Once upon a time there was a {animals[i % animals.Length]} who had {i} ",
            Sampling = new SamplingOptions { MaxTokens = tokens, IgnoreEos = true, Temperature = i % 4 == 0 ? 0 : 0.9f, Seed = (ulong)i },
        };
        if (i % 3 == 1)
            (request.Sampling.Logprobs, request.Sampling.TopLogprobs) = (true, 3);
        if (i % 4 == 2)
            (request.Sampling.FrequencyPenalty, request.Sampling.TopK, request.Sampling.TopP) = (0.4f, 50, 0.95f);
        if (i % 8 == 7)
            request.Sampling.Stop.Add("no text has this");
        return request;
    })];

    /// <summary>Streams all of them through a silo.</summary>
    /// <param name="silo">Where the clients are connected.</param>
    /// <param name="requests">What they ask.</param>
    /// <param name="halfway">Runs once every stream has had some tokens, before any is near its end.</param>
    public static async Task<Answer[]> RunAsync(SiloProcess silo, GenerateRequest[] requests, Func<Task>? halfway, CancellationToken cancellationToken)
    {
        var running = Begin(silo, requests, cancellationToken);
        if (halfway is not null)
        {
            await running.EachHasAsync(Some, cancellationToken);
            await halfway();
        }

        return await running.Answers;
    }

    /// <summary>Streams all of them through a silo, and does not wait for them.</summary>
    public static RunningStreams Begin(SiloProcess silo, GenerateRequest[] requests, CancellationToken cancellationToken)
    {
        var answers = requests.Select(_ => new Answer()).ToArray();
        return new RunningStreams(answers, Task.WhenAll(requests.Select((request, i) => Task.Run(() => ReadAsync(silo, request, answers[i], null, cancellationToken), cancellationToken))));
    }

    /// <summary>Reads one answer to its end.</summary>
    /// <param name="silo">Where the client is connected.</param>
    /// <param name="request">What it asks.</param>
    /// <param name="answer">Gets what comes.</param>
    /// <param name="deadline">When it is over at the latest (UTC).</param>
    public static async Task ReadAsync(SiloProcess silo, GenerateRequest request, Answer answer, DateTime? deadline, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var last = started;
        try
        {
            using var call = silo.Inference.Generate(request, deadline: deadline, cancellationToken: cancellationToken);
            await foreach (var piece in call.ResponseStream.ReadAllAsync(cancellationToken))
            {
                // The wait for the first one is not a pause of a stream.
                if (answer.TokenIds.Count > 0)
                    answer.LongestPause = TimeSpan.FromTicks(Math.Max(answer.LongestPause.Ticks, Stopwatch.GetElapsedTime(last).Ticks));
                last = Stopwatch.GetTimestamp();
                answer.Text += piece.Text;
                answer.TokenIds.AddRange(piece.TokenIds);
                answer.LogProbs.AddRange(piece.Logprobs);
                answer.Finish = piece.FinishReason;
                answer.Usage = piece.Usage;
                answer.Received = answer.TokenIds.Count;
            }
        }
        catch (RpcException error) when (!cancellationToken.IsCancellationRequested)
        {
            answer.Error = error;
        }
        finally
        {
            answer.Took = Stopwatch.GetElapsedTime(started);
            answer.Ended = true;
        }
    }
}

/// <summary>Answers under way.</summary>
/// <param name="answers">What has come of each.</param>
/// <param name="end">Ends with the last.</param>
internal sealed class RunningStreams(Answer[] answers, Task end)
{
    /// <summary>All answers, once they have ended.</summary>
    public Task<Answer[]> Answers { get; } = WaitAsync(answers, end);

    /// <summary>Tokens of the shortest so far.</summary>
    public int Least => answers.Min(a => a.Received);

    /// <summary>Waits until every stream has so many tokens or has ended.</summary>
    public async Task EachHasAsync(int tokens, CancellationToken cancellationToken)
    {
        while (!answers.All(a => a.Ended || a.Received >= tokens))
            await Task.Delay(10, cancellationToken);
    }

    private static async Task<Answer[]> WaitAsync(Answer[] answers, Task end)
    {
        await end;
        return answers;
    }
}

/// <summary>What a client got.</summary>
internal sealed class Answer
{
    private volatile int _received;
    private volatile bool _ended;

    public string Text { get; set; } = "";

    public List<int> TokenIds { get; } = [];

    public List<TokenLogProb> LogProbs { get; } = [];

    public FinishReason Finish { get; set; }

    public Usage? Usage { get; set; }

    /// <summary>Longest time between two pieces.</summary>
    public TimeSpan LongestPause { get; set; }

    /// <summary>Time from the request to the end.</summary>
    public TimeSpan Took { get; set; }

    /// <summary>What it failed with.</summary>
    public RpcException? Error { get; set; }

    /// <summary>Tokens so far; may be read while it is under way.</summary>
    public int Received
    {
        get => _received;
        set => _received = value;
    }

    /// <summary>Nothing more comes.</summary>
    public bool Ended
    {
        get => _ended;
        set => _ended = value;
    }

    /// <summary>Fails unless the other one says exactly the same.</summary>
    public void MustEqual(Answer other)
    {
        Assert.True(Error is null, $"The stream failed after {TokenIds.Count} tokens: {Error?.Status}");
        Assert.Equal(other.TokenIds, TokenIds);
        Assert.Equal(other.Text, Text);
        Assert.Equal(other.LogProbs, LogProbs);
        Assert.Equal(other.Finish, Finish);
        Assert.Equal((other.Usage!.PromptTokens, other.Usage.CompletionTokens, other.Usage.Seed), (Usage!.PromptTokens, Usage.CompletionTokens, Usage.Seed));
    }
}
