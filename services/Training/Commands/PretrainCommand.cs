using System.Runtime.InteropServices;
using Slm.Training.Configuration;
using Slm.Training.Kernels;
using Slm.Training.Pretraining;

namespace Slm.Training.Commands;

/// <summary>Trains a model from its configuration: corpus, vocabulary, training, model file.</summary>
internal static class PretrainCommand
{
    /// <summary>Exit code of a run that was stopped and can be resumed.</summary>
    public const int Stopped = 130;

    /// <summary>Runs it.</summary>
    /// <param name="configPath">The YAML file.</param>
    /// <param name="folder">Folder of the run: data, checkpoints, result.</param>
    /// <param name="resume">Continue from the newest checkpoint; without one the run starts anew.</param>
    /// <param name="console">Where to report.</param>
    /// <returns>0, 1 for an error, or <see cref="Stopped"/>.</returns>
    public static int Run(string configPath, string folder, bool resume, IRunConsole console)
    {
        using var stop = new CancellationTokenSource();
        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }

        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        try
        {
            var config = PretrainConfigReader.ReadFile(configPath);
            return config.Training.Precision == Precision.Bf16
                ? Train<BrainStorage>(config, folder, resume, console, stop.Token)
                : Train<SingleStorage>(config, folder, resume, console, stop.Token);
        }
        catch (Exception e) when (e is ConfigException or FileNotFoundException or DirectoryNotFoundException)
        {
            console.Error("INVALID_ARGUMENT", e.Message);
        }
        catch (DivergedException e)
        {
            console.Error("ABORTED", e.Message);
        }
        catch (InvalidDataException e)
        {
            console.Error("FAILED_PRECONDITION", e.Message);
        }

        return 1;
    }

    private static int Train<T>(PretrainConfig config, string folder, bool resume, IRunConsole console, CancellationToken stop)
        where T : struct, IStorage
    {
        var data = PreparedData.Open(config, folder, phase => console.Phase(phase, $"{phase} of {config.Data.Stories:N0} documents"));
        using var run = new PretrainRun<T>(config, data.Train, data.Validation, folder);
        if (resume && NewestCheckpoint(folder) is { } checkpoint)
        {
            run.Resume(checkpoint);
            console.Phase("resume", $"from {checkpoint} at step {run.State.Step}");
        }

        console.Phase("training", $"{run.Layout.Length:N0} parameters, {data.Train.Count:N0} documents with {data.Train.Tokens.Length:N0} tokens ({(double)data.Train.TextBytes / data.Train.Tokens.Length:F2} bytes a token)");
        var complete = run.Run(report => console.Step(report, run.Epoch), stop);
        var path = run.Save(complete ? "final.ckpt" : "stopped.ckpt");
        if (!complete)
        {
            console.Phase("stopped", $"at step {run.State.Step}; continue with --resume");
            return Stopped;
        }

        console.Result(path);
        return 0;
    }

    /// <summary>The newest checkpoint of a run's folder, or null.</summary>
    public static string? NewestCheckpoint(string folder)
        => Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*.ckpt").MaxBy(File.GetLastWriteTimeUtc) : null;
}
