using Slm.Engine.Planning;
using Slm.Engine.Threading;
using Slm.Inference.Engines;

namespace Slm.Inference.Cluster;

/// <summary>What this silo's machine can do, measured once, when somebody first asks.</summary>
internal sealed class SiloSpeed
{
    private const int Steps = 15;

    /// <summary>How long threads have nothing to do before each measured step, as while another stage or the client's part of it goes on.</summary>
    private static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(5);

    private readonly SiloEngine _engine;
    private readonly TimeProvider _time;
    private readonly Lazy<Task<(MachineSpeed Machine, double StepSeconds)>> _measured;

    /// <param name="engine">The threads.</param>
    /// <param name="time">Clock.</param>
    public SiloSpeed(SiloEngine engine, TimeProvider time)
    {
        (_engine, _time) = (engine, time);
        _measured = new(MeasureAsync);
    }

    /// <summary>The machine: silos on one share its processors and memory. Containers of one machine have the same.</summary>
    public string Host { get; } = ReadHost();

    /// <summary>Bandwidth and speed, and seconds of handing a step to the threads and back.</summary>
    public Task<(MachineSpeed Machine, double StepSeconds)> GetAsync() => _measured.Value;

    private async Task<(MachineSpeed Machine, double StepSeconds)> MeasureAsync()
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
