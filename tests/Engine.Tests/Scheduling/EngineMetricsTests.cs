using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;

namespace Slm.Engine.Tests.Scheduling;

public sealed class EngineMetricsTests
{
    [Fact]
    public async Task A_request_is_seen_in_the_metrics_of_its_model()
    {
        using var measured = new Measurements(EngineMetrics.MeterName);
        var pipeline = new HashPipeline();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { Model = "seen" }, TimeProvider.System);
        pipeline.OnStep = _ => measured.Record();
        await ReferenceGeneration.Collect(scheduler.GenerateAsync(
            new GenerationRequest { Prompt = [1, 2, 3], Sampling = new SamplingOptions { MaxTokens = 5 } }, TestContext.Current.CancellationToken));

        Assert.Equal(3, Sum(EngineMetrics.PromptTokens));
        Assert.Equal(5, Sum(EngineMetrics.GeneratedTokens));
        Assert.Equal(3, Sum(EngineMetrics.PrefixLookups));
        await ReferenceGeneration.Collect(scheduler.GenerateAsync(
            new GenerationRequest { Prompt = [1, 2, 3], Sampling = new SamplingOptions { MaxTokens = 1 } }, TestContext.Current.CancellationToken));
        Assert.Equal((6, 2), (Sum(EngineMetrics.PrefixLookups), Sum(EngineMetrics.PrefixHits)));
        Assert.Equal(3 + 4 + 1, Sum(EngineMetrics.StepTokens));
        Assert.Equal(5 + 1, Sum(EngineMetrics.StepSequences));
        Assert.Equal(5 + 1, Sum(EngineMetrics.Running));
        Assert.True(Count(EngineMetrics.Waiting) > 0);
        Assert.Equal(0, Sum(EngineMetrics.Waiting));
        Assert.True(Sum(EngineMetrics.KvOccupancy) > 0);
        Assert.True(Count(EngineMetrics.TimeToFirstToken) > 0 && Count(EngineMetrics.TimePerOutputToken) > 0);

        int Count(string name) => measured.Count(name, (EngineMetrics.ModelTag, "seen"));
        double Sum(string name) => measured.Sum(name, (EngineMetrics.ModelTag, "seen"));
    }
}
