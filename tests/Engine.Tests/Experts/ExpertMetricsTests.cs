using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Slm.Engine.Execution;
using Slm.Engine.Experts;
using Slm.Engine.Models;
using Slm.Engine.Scheduling;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Experts;

public sealed class ExpertMetricsTests
{
    [Fact]
    public async Task Hits_misses_and_bytes_are_published_under_the_models_name()
    {
        var name = $"{Guid.NewGuid():n}";
        var path = Path.Combine(AppContext.BaseDirectory, name + ".gguf");
        File.Copy(ReferenceModels.Path("smallthinker-f32"), path);
        try
        {
            var sums = new ConcurrentDictionary<string, double>();
            using var listener = new MeterListener
            {
                InstrumentPublished = (instrument, l) =>
                {
                    if (instrument.Meter.Name == EngineMetrics.MeterName)
                        l.EnableMeasurementEvents(instrument);
                },
            };
            void Add(string instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
            {
                foreach (var tag in tags)
                {
                    if (tag.Key == ExpertMetrics.ModelTag && name.Equals(tag.Value))
                        sums.AddOrUpdate(instrument, value, (_, sum) => sum + value);
                }
            }

            listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument.Name, value, tags));
            listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument.Name, value, tags));
            listener.Start();
            using var file = ModelFile.Open(path);
            ExpertCacheStats stats;
            await using (var pipeline = LocalPipeline.Load(file, new LocalPipelineOptions { Threads = 2, KvCacheBytes = 32 << 20, ExpertMemory = ExpertSizes.Of(file)!.LeastBytes }))
            {
                StepRunner.Logits(pipeline, [1, 2, 3, 4, 5, 6, 7, 8], [0], 1);
                stats = pipeline.Stages[0].Experts!;
            }

            Assert.True(stats.Misses > 0);
            Assert.Equal(stats.Misses, sums[ExpertMetrics.Misses]);
            Assert.Equal(stats.Hits, sums.GetValueOrDefault(ExpertMetrics.Hits));
            Assert.Equal(stats.BytesRead, sums[ExpertMetrics.Read]);
            // A TimeSpan counts in 100 ns.
            Assert.Equal(stats.Stalled.TotalSeconds, sums.GetValueOrDefault(ExpertMetrics.Stall), 1.01e-7);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
