using System.Collections.Concurrent;
using System.Diagnostics;

namespace Slm.Integration;

/// <summary>Processes that end with this one: also those of a test that ran out of time and did not end them itself.</summary>
internal static class Children
{
    private static readonly ConcurrentBag<Process> Started = [];

    static Children() => AppDomain.CurrentDomain.ProcessExit += static (_, _) =>
    {
        foreach (var process in Started)
        {
            try
            {
                process.Kill(entireProcessTree: true);
            }
            catch (InvalidOperationException)
            {
                // It has ended, and been disposed.
            }
        }
    };

    /// <summary>Starts a process.</summary>
    public static Process Start(ProcessStartInfo start)
    {
        var process = Process.Start(start)!;
        Started.Add(process);
        return process;
    }
}
