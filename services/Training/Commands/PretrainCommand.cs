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
    /// <param name="output">Folder of the run: data, checkpoints, result.</param>
    /// <param name="resume">Continue from the newest checkpoint; without one the run starts anew.</param>
    /// <param name="console">Where to report.</param>
    /// <returns>0, 1 for an error, or <see cref="Stopped"/>.</returns>
    public static int Run(string configPath, string output, bool resume, IRunConsole console)
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
            Directory.CreateDirectory(output);
            var folder = new RunFolder(output);
            if (Path.GetFullPath(configPath) != Path.GetFullPath(folder.Config))
                File.Copy(configPath, folder.Config, overwrite: true);
            return config.Training.Precision == Precision.Bf16
                ? Train<BrainStorage>(config, folder, resume, console, stop.Token)
                : Train<SingleStorage>(config, folder, resume, console, stop.Token);
        }
        catch (Exception e) when (e is ConfigException or FileNotFoundException or DirectoryNotFoundException or Engine.Formats.ModelFormatException)
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

    private static int Train<T>(PretrainConfig config, RunFolder folder, bool resume, IRunConsole console, CancellationToken stop)
        where T : struct, IStorage
    {
        var data = PreparedData.Open(config, folder.Path, phase => console.Phase(phase, $"{phase} of {config.Data.Stories:N0} documents"));
        using var run = new PretrainRun<T>(config, data.Train, data.Validation, folder.Path);
        if (resume && folder.NewestCheckpoint is { } checkpoint)
        {
            run.Resume(checkpoint);
            console.Phase("resume", $"from {checkpoint} at step {run.State.Step}");
        }

        console.Phase("training", $"{run.Layout.Length:N0} parameters, {data.Train.Count:N0} documents with {data.Train.Tokens.Length:N0} tokens ({(double)data.Train.TextBytes / data.Train.Tokens.Length:F2} bytes a token)");
        var complete = run.Run(report => console.Step(report, run.Epoch), stop);
        var path = run.Save(complete ? Path.GetFileName(folder.FinalCheckpoint) : "stopped.ckpt");
        if (!complete)
        {
            console.Phase("stopped", $"at step {run.State.Step}; continue with --resume");
            return Stopped;
        }

        console.Phase("export", $"the model file and its card, from {path}");
        ExportCommand.Card(folder, folder.Model(config), data, stop).GetAwaiter().GetResult();
        console.Result(folder.Model(config));
        return 0;
    }
}
