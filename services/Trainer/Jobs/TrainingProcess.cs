using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Slm.Trainer.Jobs;

/// <summary>How a training process ended.</summary>
internal sealed record TrainingOutcome(int ExitCode, string? Result, string? ErrorCode, string? ErrorMessage);

/// <summary>One run of the training program, which reports as JSON lines on its standard output.</summary>
internal static partial class TrainingProcess
{
    private const int KeptErrorLines = 20;

    /// <summary>Runs to the end, or, when cancelled, asks it to write a checkpoint and stop.</summary>
    /// <param name="start">Program and arguments.</param>
    /// <param name="onLine">Gets each JSON object the program prints.</param>
    /// <param name="stopTimeout">Time to write a checkpoint before it is killed.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<TrainingOutcome> RunAsync(ProcessStartInfo start, Action<JsonElement> onLine, TimeSpan stopTimeout, CancellationToken cancellationToken)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.UseShellExecute = false;
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start.");
        string? result = null, code = null, message = null;
        var errors = new Queue<string>();

        async Task ReadOutputAsync()
        {
            while (await process.StandardOutput.ReadLineAsync(CancellationToken.None) is { } line)
            {
                // A build in front of the program prints text; only its own lines are JSON objects.
                if (!line.StartsWith('{'))
                    continue;
                JsonElement document;
                try
                {
                    document = JsonDocument.Parse(line).RootElement;
                }
                catch (JsonException)
                {
                    continue;
                }

                switch (Text(document, "event"))
                {
                    case "result":
                        result = Text(document, "model");
                        break;
                    case "error":
                        (code, message) = (Text(document, "code"), Text(document, "message"));
                        break;
                    default:
                        onLine(document);
                        break;
                }
            }
        }

        async Task ReadErrorsAsync()
        {
            while (await process.StandardError.ReadLineAsync(CancellationToken.None) is { } line)
            {
                errors.Enqueue(line);
                if (errors.Count > KeptErrorLines)
                    errors.Dequeue();
            }
        }

        var reading = Task.WhenAll(ReadOutputAsync(), ReadErrorsAsync());
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            await StopAsync(process, stopTimeout);
        }

        await reading;
        if (process.ExitCode != 0 && message is null)
            message = errors.Count > 0 ? string.Join('\n', errors) : $"The training program ended with code {process.ExitCode} and said nothing.";
        return new TrainingOutcome(process.ExitCode, result, code, message);
    }

    /// <summary>A string property, or null.</summary>
    public static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static async Task StopAsync(Process process, TimeSpan timeout)
    {
        // The program writes a checkpoint on SIGTERM; Windows has no such signal for a process without a console.
        if (!OperatingSystem.IsWindows())
        {
            _ = SendSignal(process.Id, SigTerm);
            try
            {
                await process.WaitForExitAsync().WaitAsync(timeout);
                return;
            }
            catch (TimeoutException)
            {
                // Killed below.
            }
        }

        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
    }

    private const int SigTerm = 15;

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int process, int signal);
}
