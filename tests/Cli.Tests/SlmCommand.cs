using System.Diagnostics;
using System.Reflection;
using System.Text.Json;

namespace Slm.Cli.Tests;

/// <summary>The built command, run as a process.</summary>
internal static class SlmCommand
{
    internal sealed record Result(int ExitCode, string Output, string Error)
    {
        /// <summary>Standard output as exactly one JSON document.</summary>
        public JsonElement Json()
        {
            Assert.True(ExitCode == 0, Error);
            using var document = JsonDocument.Parse(Output);
            return document.RootElement.Clone();
        }
    }

    /// <summary>The command's own output folder, in the checkout this assembly was built in.</summary>
    public static string Executable { get; } = Find();

    public static string Data(string name) => Path.Combine(AppContext.BaseDirectory, "data", name);

    public static Task<Result> RunAsync(params string[] arguments) => RunAsync(new Dictionary<string, string>(), null, arguments);

    public static async Task<Result> RunAsync(Dictionary<string, string> environment, string? input, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", ["exec", Executable, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        timeout.CancelAfter(TimeSpan.FromMinutes(5));
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(timeout.Token);
            var error = process.StandardError.ReadToEndAsync(timeout.Token);
            if (input is not null)
                await process.StandardInput.WriteAsync(input.AsMemory(), timeout.Token);
            process.StandardInput.Close();
            await process.WaitForExitAsync(timeout.Token);
            return new Result(process.ExitCode, await output, await error);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
    }

    private static string Find()
    {
        var built = typeof(SlmCommand).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "SlmCommand").Value!;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var path = Path.Combine(folder.FullName, built);
            if (File.Exists(path))
                return path;
        }
        throw new FileNotFoundException($"{built} was not found above {AppContext.BaseDirectory}.");
    }
}
