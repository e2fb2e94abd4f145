using System.Diagnostics;

namespace Slm.Trainer.Jobs;

/// <summary>Finds the training program. It is a process of its own because it carries libtorch, which nothing else should load.</summary>
internal static class TrainingCommand
{
    private const string ProgramName = "slm-train";

    /// <summary>The program and its first arguments, not started.</summary>
    /// <exception cref="FileNotFoundException">There is none; the message names the setting.</exception>
    public static ProcessStartInfo Find(TrainerServiceOptions options)
    {
        if (options.Command is { Length: > 0 } command)
        {
            var parts = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            return new ProcessStartInfo(parts[0], parts[1..]);
        }

        var beside = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? $"{ProgramName}.exe" : ProgramName);
        if (File.Exists(beside))
            return new ProcessStartInfo(beside);
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var project = Path.Combine(folder.FullName, "services", "Training", "Training.csproj");
            if (File.Exists(project))
                return new ProcessStartInfo("dotnet", ["run", "-c", "Release", "--project", project, "--"]);
        }

        throw new FileNotFoundException(
            $"The training program was not found. Put {ProgramName} beside {AppDomain.CurrentDomain.FriendlyName}, or set {TrainerServiceOptions.Section}:Command.");
    }
}
