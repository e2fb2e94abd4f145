using Orleans.Concurrency;
using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Planning;
using Slm.Inference.Cluster;
using Slm.Inference.Direct;
using Slm.Runtime;

namespace Slm.Inference.Grains;

/// <summary>Says what its silo is and holds, and measures the ways to others.</summary>
[KeepAlive, Reentrant, OnSilo]
internal sealed class SiloGrain(ILocalSiloDetails silo, SiloParts parts, SiloSpeed speed, DirectListener listener, DirectLinks links, ModelCatalog catalog, InferenceOptions options, TimeProvider time) : Grain, ISiloGrain
{
    private const int SmallEchoes = 15;
    private static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(5);
    private const int LargeBytes = 1 << 20;
    private static readonly TimeSpan Fresh = TimeSpan.FromMinutes(10);
    private readonly Dictionary<string, (long At, SiloLink Link)> _links = new(StringComparer.Ordinal);

    public async Task<SiloInfo> GetAsync()
    {
        var (measured, stepSeconds) = await speed.GetAsync();
        var memory = MachineMemory.Read();
        return new SiloInfo(
            silo.SiloAddress.ToParsableString(), silo.Name, speed.Host, options.Threads, memory.FreeBytes, measured.ReadBytesPerSecond, measured.MultiplyAddsPerSecond,
            Numerics.Arithmetic, Numerics.Kernels, new Dictionary<string, string>(options.Labels), parts.Draining, parts.List(), memory.HostFreeBytes, [.. catalog.List().Select(m => m.Name)], measured.FloatMultiplyAddsPerSecond, stepSeconds, Environment.ProcessorCount, listener.Endpoint, speed.LayerSeconds, speed.TurnSeconds);
    }

    public async Task<SiloInfo> MeasureSpeedAsync()
    {
        _links.Clear();
        await speed.MeasureAsync();
        return await GetAsync();
    }

    public async Task<SiloLink> MeasureAsync(string other)
    {
        if (_links.TryGetValue(other, out var known) && time.GetElapsedTime(known.At) < Fresh)
            return known.Link;
        var peer = GrainFactory.GetGrain<ISiloGrain>(SiloKey.At(ISiloGrain.Name, other));

        // A step finds processors that sleep, because another stage has computed meanwhile; visits to experts follow each other closely.
        var resting = await links.MeasureAsync(other, SmallEchoes, Idle);
        var busy = await links.MeasureAsync(other, SmallEchoes, TimeSpan.Zero);
        var message = await TimesAsync(peer, resting is null ? Idle : TimeSpan.Zero);

        // Large messages never go over a direct connection.
        var large = new byte[LargeBytes];
        var longest = TimeSpan.MaxValue;
        for (var i = 0; i < 3; i++)
            longest = Least(longest, await TimeAsync(peer, large));
        var both = Math.Max(1e-6, longest.TotalSeconds - message);
        var link = new SiloLink(silo.SiloAddress.ToParsableString(), other, (resting is null ? message : Median(resting)) / 2, 2 * LargeBytes / both, busy is null ? null : Median(busy) / 2);
        _links[other] = (time.GetTimestamp(), link);
        return link;
    }

    public Task<byte[]> EchoAsync(byte[] bytes) => Task.FromResult(bytes);

    public Task<SiloInfo> DrainAsync(bool draining)
    {
        parts.Draining = draining;
        return GetAsync();
    }

    /// <summary>Seconds of a small message of Orleans and its answer, the median of some.</summary>
    private async Task<double> TimesAsync(ISiloGrain other, TimeSpan idle)
    {
        var seconds = new double[SmallEchoes];
        for (var i = 0; i < seconds.Length; i++)
        {
            if (idle > TimeSpan.Zero)
                await Task.Delay(idle, time);
            seconds[i] = (await TimeAsync(other, new byte[8])).TotalSeconds;
        }

        return Median(seconds);
    }

    private async Task<TimeSpan> TimeAsync(ISiloGrain other, byte[] bytes)
    {
        var start = time.GetTimestamp();
        await other.EchoAsync(bytes);
        return time.GetElapsedTime(start);
    }

    private static double Median(double[] values) => values.Order().ElementAt(values.Length / 2);

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
