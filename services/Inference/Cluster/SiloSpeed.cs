using Slm.Engine.Execution;
using Slm.Engine.Planning;
using Slm.Engine.Threading;
using Slm.Inference.Engines;

namespace Slm.Inference.Cluster;

/// <summary>What this silo's machine can do: the median of the last times that it was measured, the first when somebody asked for it.</summary>
internal sealed class SiloSpeed : IDisposable
{
    private const int Steps = 15;
    private const int Kept = 5;
    private const int KeptSteps = 64;

    /// <summary>How long threads have nothing to do before each measured step, as while another stage or the client's part of it goes on.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(5);

    private readonly SiloEngine _engine;
    private readonly TimeProvider _time;
    private readonly Dictionary<string, Queue<SeenStep>> _layers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Queue<double>> _turns = new(StringComparer.Ordinal);
    private volatile MachineSpeed? _machine;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Queue<(MachineSpeed Machine, double StepSeconds)> _measured = [];

    /// <param name="engine">The threads.</param>
    /// <param name="time">Clock.</param>
    public SiloSpeed(SiloEngine engine, TimeProvider time) => (_engine, _time) = (engine, time);

    /// <summary>The machine: silos on one share its processors and memory. Containers of one machine have the same.</summary>
    public string Host { get; } = ReadHost();

    /// <summary>Bandwidth and speed, and seconds of handing a step to the threads and back.</summary>
    public Task<(MachineSpeed Machine, double StepSeconds)> GetAsync() => GetAsync(again: false);

    /// <summary>Measures it once more.</summary>
    public Task MeasureAsync() => GetAsync(again: true);

    private async Task<(MachineSpeed Machine, double StepSeconds)> GetAsync(bool again)
    {
        await _turn.WaitAsync();
        try
        {
            if (again || _measured.Count == 0)
                _measured.Enqueue(await MeasureOnceAsync());
            if (_measured.Count > Kept)
                _measured.Dequeue();
            _machine = new MachineSpeed(Median(m => m.Machine.ReadBytesPerSecond), Median(m => m.Machine.MultiplyAddsPerSecond), Median(m => m.Machine.FloatMultiplyAddsPerSecond));
            return (_machine, Median(m => m.StepSeconds));
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>
    /// Seconds that a layer takes in every step beyond what the measured speed explains: what is usual of the last steps that were looked
    /// at, by <see cref="ModelShape.Kind"/> of the models that have run here.
    /// </summary>
    public Dictionary<string, double> LayerSeconds => _machine is { } machine
        ? Usual(_layers, step => (step.Seconds - StepPrediction.Seconds(step.Shape, step.Range, machine, step.Context)) / step.Range.Count)
        : [];

    /// <summary>Seconds from the end of a step to the beginning of the next, alike.</summary>
    public Dictionary<string, double> TurnSeconds => Usual(_turns, seconds => seconds);

    /// <summary>A step of one token of a model of a kind has been computed.</summary>
    public void StepTook(string kind, SeenStep step) => Keep(_layers, kind, step);

    /// <summary>A model of a kind has had so much time between two steps.</summary>
    public void TurnTook(string kind, double seconds) => Keep(_turns, kind, seconds);

    public void Dispose() => _turn.Dispose();

    /// <summary>
    /// The mean without the slowest eighth, not less than 0: every few steps something else gets the processor for a moment, which a median
    /// would not see and speed over some time does.
    /// </summary>
    private static Dictionary<string, double> Usual<T>(Dictionary<string, Queue<T>> last, Func<T, double> of)
    {
        (string Kind, T[] Seen)[] all;

        // The thread that computes waits for the lock.
        lock (last)
            all = [.. last.Select(one => (one.Key, one.Value.ToArray()))];
        return all.ToDictionary(one => one.Kind, one => Math.Max(0, one.Seen.Select(of).Order().Take(one.Seen.Length - (one.Seen.Length / 8)).Average()), StringComparer.Ordinal);
    }

    private static void Keep<T>(Dictionary<string, Queue<T>> last, string kind, T seen)
    {
        lock (last)
        {
            if (!last.TryGetValue(kind, out var kept))
                last.Add(kind, kept = []);
            kept.Enqueue(seen);
            if (kept.Count > KeptSteps)
                kept.Dequeue();
        }
    }

    private double Median(Func<(MachineSpeed Machine, double StepSeconds), double> of) => _measured.Select(of).Order().ElementAt(_measured.Count / 2);

    private async Task<(MachineSpeed Machine, double StepSeconds)> MeasureOnceAsync()
    {
        var machine = await _engine.Compute.RunAsync(() => MachineSpeed.Measure(_engine.Workers));
        var seconds = new double[Steps];
        for (var step = 0; step < Steps; step++)
        {
            await Task.Delay(Idle, _time);
            var started = _time.GetTimestamp();
            _engine.Workers.Rouse();
            await _engine.Compute.RunAsync(() =>
            {
                var nothing = default(Nothing);
                _engine.Workers.Run(2 * _engine.Workers.Threads, ref nothing);
                return true;
            });
            seconds[step] = _time.GetElapsedTime(started).TotalSeconds;
        }

        Array.Sort(seconds);
        return (machine, seconds[Steps / 2]);
    }

    private static string ReadHost()
    {
        const string Boot = "/proc/sys/kernel/random/boot_id";
        return File.Exists(Boot) ? File.ReadAllText(Boot).Trim() : Environment.MachineName;
    }

    private readonly struct Nothing : IParallelWork
    {
        public void Execute(int part, int worker)
        {
        }
    }
}

/// <summary>A step of one token that a stage has computed.</summary>
/// <param name="Shape">The model.</param>
/// <param name="Range">The stage's layers.</param>
/// <param name="Context">Positions that the sequence held.</param>
/// <param name="Seconds">What it took.</param>
internal sealed record SeenStep(ModelShape Shape, LayerRange Range, int Context, double Seconds);
