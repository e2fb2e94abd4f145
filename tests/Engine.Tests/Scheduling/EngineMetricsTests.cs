using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Slm.Engine.Sampling;
using Slm.Engine.Scheduling;

namespace Slm.Engine.Tests.Scheduling;

public sealed class EngineMetricsTests
{
    [Fact]
    public async Task A_request_is_seen_in_the_metrics_of_its_model()
    {
        var sums = new ConcurrentDictionary<string, double>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, l) =>
        {
            if (instrument.Meter.Name == EngineMetrics.MeterName)
                l.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<int>((i, v, tags, _) => Add(i, v, tags));
        listener.SetMeasurementEventCallback<long>((i, v, tags, _) => Add(i, v, tags));
        listener.SetMeasurementEventCallback<double>((i, v, tags, _) => Add(i, v, tags));
        listener.Start();

        var pipeline = new HashPipeline();
        await using var scheduler = new Scheduler(pipeline, new SchedulerOptions { Model = "seen" }, TimeProvider.System);
        pipeline.OnStep = _ => listener.RecordObservableInstruments();
        await ReferenceGeneration.Collect(scheduler.GenerateAsync(
            new GenerationRequest { Prompt = [1, 2, 3], Sampling = new SamplingOptions { MaxTokens = 5 } }, TestContext.Current.CancellationToken));

        Assert.Equal(3, sums[EngineMetrics.PromptTokens]);
        Assert.Equal(5, sums[EngineMetrics.GeneratedTokens]);
        Assert.Equal(3, sums[EngineMetrics.PrefixLookups]);
        await ReferenceGeneration.Collect(scheduler.GenerateAsync(
            new GenerationRequest { Prompt = [1, 2, 3], Sampling = new SamplingOptions { MaxTokens = 1 } }, TestContext.Current.CancellationToken));
        Assert.Equal((6, 2), (sums[EngineMetrics.PrefixLookups], sums[EngineMetrics.PrefixHits]));
        Assert.Equal(3 + 4 + 1, sums[EngineMetrics.StepTokens]);
        Assert.Equal(5 + 1, sums[EngineMetrics.StepSequences]);
        Assert.Equal(5 + 1, sums[EngineMetrics.Running]);
        Assert.Equal(0, sums[EngineMetrics.Waiting]);
        Assert.True(sums[EngineMetrics.KvOccupancy] > 0);
        Assert.True(sums.ContainsKey(EngineMetrics.TimeToFirstToken) && sums.ContainsKey(EngineMetrics.TimePerOutputToken));

        void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            foreach (var tag in tags)
            {
                if (tag.Key == EngineMetrics.ModelTag && "seen".Equals(tag.Value))
                    sums.AddOrUpdate(instrument.Name, value, (_, sum) => sum + value);
            }
        }
    }
}
