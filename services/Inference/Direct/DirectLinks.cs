using System.Collections.Concurrent;
using System.Net;
using Orleans.Serialization;
using Slm.Contracts.Grains;

namespace Slm.Inference.Direct;

/// <summary>
/// Direct connections to other silos, for what is small and in a hurry: steps from stage to stage and visits to experts. Where there is
/// none, not yet, or not any more, these are messages of Orleans as all else is.
/// </summary>
internal sealed partial class DirectLinks(IGrainFactory grains, Serializer serializer, DirectOptions options, TimeProvider time, ILogger<DirectLinks> logger) : IDisposable
{
    /// <summary>After that, one that could not be made is tried again.</summary>
    private static readonly TimeSpan TryAgain = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<string, Way> _ways = new(StringComparer.Ordinal);

    /// <summary>A silo is about to be sent steps.</summary>
    public void Prepare(string silo) => _ = Find(silo);

    /// <summary>Sends a step to a stage.</summary>
    /// <param name="silo">Where the stage is.</param>
    /// <param name="key">Key of its grain.</param>
    /// <param name="pass">The step.</param>
    /// <returns>False if there is no connection, or the step is too large for it; nothing has been sent.</returns>
    /// <exception cref="IOException">The connection broke; the step may be lost.</exception>
    public bool TryPass(string silo, string key, StagePass pass)
    {
        if (pass.Rows?.Payload.Length > DirectFrame.MostPayload || Find(silo) is not { } link)
            return false;

        // Owners and stages of several models may send at a time.
        lock (link)
        {
            if (link.HasEnded())
            {
                link.Dispose();
                return false;
            }

            link.Send(DirectKind.Pass, pass.Request.Number, key, pass);
        }

        return true;
    }

    /// <summary>The way to a group of experts, with a connection of its own: answers come in the order of the calls.</summary>
    /// <param name="key">Key of the group's grain.</param>
    public DirectCaller Caller(string key) => new(key, new Way(this, SiloKey.SiloOf(key)));

    /// <summary>Measures the way to a silo and back, on a thread and a connection of its own.</summary>
    /// <param name="silo">The silo.</param>
    /// <param name="times">How often.</param>
    /// <param name="idle">Rest before each time, in which whoever waits falls asleep as between steps.</param>
    /// <returns>Seconds of each time; null if there is no connection.</returns>
    public async Task<double[]?> MeasureAsync(string silo, int times, TimeSpan idle)
    {
        using var link = await ConnectAsync(silo);
        return link is null ? null : await Task.Factory.StartNew(() => Echo(link, times, idle), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private double[]? Echo(DirectLink link, int times, TimeSpan idle)
    {
        var seconds = new double[times];
        using var late = new CancellationTokenSource(TryAgain, time);
        try
        {
            for (var i = 0; i < times; i++)
            {
                if (idle > TimeSpan.Zero)
                    Thread.Sleep(idle);
                var started = time.GetTimestamp();
                link.Send(DirectKind.Echo, i, "");
                link.Receive(i, late.Token);
                seconds[i] = time.GetElapsedTime(started).TotalSeconds;
            }

            return seconds;
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            LogNone(logger, error, link.Silo);
            return null;
        }
    }

    public void Dispose()
    {
        foreach (var way in _ways.Values)
            way.Dispose();
    }

    private DirectLink? Find(string silo) => options.IsOn ? _ways.GetOrAdd(silo, static (key, links) => new Way(links, key), this).Link : null;

    private async Task<DirectLink?> ConnectAsync(string silo)
    {
        try
        {
            if (!options.IsOn)
                return null;

            // Silos of earlier versions, and those that have it switched off, name none.
            var info = await grains.GetGrain<ISiloGrain>(SiloKey.At(ISiloGrain.Name, silo)).GetAsync();
            if (info.Direct is null || !IPEndPoint.TryParse(info.Direct, out var endpoint))
                return null;
            return await Task.Factory.StartNew(() => DirectLink.Connect(endpoint, silo, serializer, options.Tls?.ClientOptions(logger)), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
#pragma warning disable CA1031 // There is another way.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogNone(logger, error, silo);
            return null;
        }
    }

    /// <summary>A connection that is there, comes, or will be tried again.</summary>
    internal sealed class Way : IDisposable
    {
        private readonly DirectLinks _owner;
        private readonly string _silo;
        private Task<DirectLink?> _connecting;
        private readonly Lock _gate = new();
        private long _tried;
        private bool _disposed;

        public Way(DirectLinks owner, string silo)
        {
            (_owner, _silo) = (owner, silo);
            _connecting = Begin();
        }

        /// <summary>The connection; null if there is none now.</summary>
        public DirectLink? Link
        {
            get
            {
                var connecting = Volatile.Read(ref _connecting);
                if (!connecting.IsCompletedSuccessfully)
                    return null;
                if (connecting.Result is { IsOpen: true } link)
                    return link;
                lock (_gate)
                {
                    if (_connecting == connecting && !_disposed && _owner.IsTime(_tried))
                        _connecting = Begin();
                }

                return null;
            }
        }

        public void Dispose()
        {
            lock (_gate)
                _disposed = true;
            _ = Volatile.Read(ref _connecting).ContinueWith(
                static done => done.Result?.Dispose(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously | TaskContinuationOptions.OnlyOnRanToCompletion, TaskScheduler.Default);
        }

        private Task<DirectLink?> Begin()
        {
            _tried = _owner.Now;
            return Task.Run(() => _owner.ConnectAsync(_silo));
        }
    }

    private long Now => time.GetTimestamp();

    private bool IsTime(long tried) => time.GetElapsedTime(tried) > TryAgain;

    [LoggerMessage(Level = LogLevel.Information, Message = "There is no direct connection to silo {Silo}; messages of Orleans take its place")]
    private static partial void LogNone(ILogger logger, Exception error, string silo);
}

/// <summary>Calls to one group of experts; made by one thread at a time.</summary>
/// <param name="key">Key of the group's grain.</param>
/// <param name="way">Its connection.</param>
internal sealed class DirectCaller(string key, DirectLinks.Way way) : IDisposable
{
    private long _number;

    /// <summary>Sends a call.</summary>
    /// <returns>The connection that it went over, and its number; null if there is none, or the call is too large for it: nothing has been sent.</returns>
    /// <exception cref="IOException">The connection broke.</exception>
    public (DirectLink Link, long Number)? TryBegin(ExpertRequest request)
    {
        if (request.Rows.Payload.Length > DirectFrame.MostPayload || way.Link is not { } link)
            return null;
        link.Send(DirectKind.Call, ++_number, key, request);
        return (link, _number);
    }

    public void Dispose() => way.Dispose();
}
