using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Slm.Cli.Processes;

/// <summary>
/// Another program of the platform, run as a child process that shares this one's terminal. It is found by an environment
/// variable, else beside this program, else in the source checkout around this program or the working directory.
/// </summary>
internal sealed partial class SiblingProgram(string purpose, string variable, string executable, string project)
{
    /// <summary>The trainer: a program of its own, because it brings libtorch along.</summary>
    public static SiblingProgram Trainer { get; } = new("trainer", "SLM_TRAIN", "slm-train", "services/Training");

    /// <summary>The platform in one process.</summary>
    public static SiblingProgram Platform { get; } = new("platform", "SLM_APPHOST", "Slm.AppHost", "AppHost");

    /// <summary>Runs it to its end and returns its exit code. Ctrl-C reaches it from the terminal; a request to terminate is handed on.</summary>
    public async Task<int> RunAsync(string[] arguments)
    {
        var start = Find();
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        start.UseShellExecute = false;
        using var process = Start(start);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            Terminate(process);
        });
        await process.WaitForExitAsync();
        return process.ExitCode;
    }

    private Process Start(ProcessStartInfo start)
    {
        try
        {
            return Process.Start(start) ?? throw new CliException($"The {purpose} '{start.FileName}' did not start.");
        }
        catch (Win32Exception error)
        {
            throw new CliException($"The {purpose} '{start.FileName}' cannot be run: {error.Message}. Set {variable} to an executable or a .dll.", error);
        }
    }

    private ProcessStartInfo Find()
    {
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } named)
        {
            if (!File.Exists(named))
                throw new CliException($"{variable} names '{named}', which does not exist. Set it to the {purpose}'s executable or .dll, or unset it.");
            return named.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) ? new ProcessStartInfo("dotnet", ["exec", named]) : new ProcessStartInfo(named);
        }
        var beside = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? executable + ".exe" : executable);
        if (File.Exists(beside))
            return new ProcessStartInfo(beside);
        foreach (var origin in new[] { AppContext.BaseDirectory, Environment.CurrentDirectory })
        {
            for (var folder = new DirectoryInfo(origin); folder is not null; folder = folder.Parent)
            {
                var candidate = Path.Combine(folder.FullName, project);
                if (File.Exists(Path.Combine(folder.FullName, "SlmPlatform.sln")) && Directory.Exists(candidate))
                    return new ProcessStartInfo("dotnet", ["run", "-c", "Release", "--project", candidate, "--"]);
            }
        }
        throw new CliException($"The {purpose} was not found: set {variable} to its executable, put {executable} beside slm, or run in a source checkout.");
    }

    private static void Terminate(Process process)
    {
        if (OperatingSystem.IsWindows())
            process.Kill(entireProcessTree: true);
        else
            _ = Kill(process.Id, 15);
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);
}
