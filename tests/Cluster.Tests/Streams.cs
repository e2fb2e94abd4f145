using System.Diagnostics;
using Grpc.Core;
using Slm.V1;

namespace Slm.Cluster.Tests;

/// <summary>Several answers at a time, each with other options, and what came of them.</summary>
internal static class Streams
{
    /// <summary>Requests that have little in common: greedy and sampled, with log-probabilities, penalties and stops.</summary>
    public static GenerateRequest[] Requests(int count, int tokens) => [.. Enumerable.Range(0, count).Select(i =>
    {
        string[] animals = ["fox", "bear", "cat", "dog", "mouse", "owl", "duck", "frog"];
        var request = new GenerateRequest
        {
            Model = SiloCluster.Model,
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
        var begun = new CountdownEvent(requests.Length);
        var answers = requests.Select(request => Task.Run(() => ReadAsync(silo, request, begun, cancellationToken), cancellationToken)).ToArray();
        if (halfway is not null)
        {
            await Task.WhenAny(Task.Run(() => begun.Wait(cancellationToken), cancellationToken), Task.WhenAll(answers));
            await halfway();
        }

        return await Task.WhenAll(answers);
    }

    private static async Task<Answer> ReadAsync(SiloProcess silo, GenerateRequest request, CountdownEvent begun, CancellationToken cancellationToken)
    {
        const int Some = 10;
        using var call = silo.Inference.Generate(request, cancellationToken: cancellationToken);
        var answer = new Answer();
        var last = Stopwatch.GetTimestamp();
        await foreach (var piece in call.ResponseStream.ReadAllAsync(cancellationToken))
        {
            answer.LongestPause = TimeSpan.FromTicks(Math.Max(answer.LongestPause.Ticks, Stopwatch.GetElapsedTime(last).Ticks));
            last = Stopwatch.GetTimestamp();
            var before = answer.TokenIds.Count;
            answer.Text += piece.Text;
            answer.TokenIds.AddRange(piece.TokenIds);
            answer.LogProbs.AddRange(piece.Logprobs);
            answer.Finish = piece.FinishReason;
            answer.Usage = piece.Usage;
            if (before < Some && answer.TokenIds.Count >= Some)
                begun.Signal();
        }

        return answer;
    }
}

/// <summary>What a client got.</summary>
internal sealed class Answer
{
    public string Text { get; set; } = "";

    public List<int> TokenIds { get; } = [];

    public List<TokenLogProb> LogProbs { get; } = [];

    public FinishReason Finish { get; set; }

    public Usage? Usage { get; set; }

    /// <summary>Longest time between two pieces.</summary>
    public TimeSpan LongestPause { get; set; }

    /// <summary>Fails unless the other one says exactly the same.</summary>
    public void MustEqual(Answer other)
    {
        Assert.Equal(other.TokenIds, TokenIds);
        Assert.Equal(other.Text, Text);
        Assert.Equal(other.LogProbs, LogProbs);
        Assert.Equal(other.Finish, Finish);
        Assert.Equal((other.Usage!.PromptTokens, other.Usage.CompletionTokens, other.Usage.Seed), (Usage!.PromptTokens, Usage.CompletionTokens, Usage.Seed));
    }
}
