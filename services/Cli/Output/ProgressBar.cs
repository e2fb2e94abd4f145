using Spectre.Console;

namespace Slm.Cli.Output;

/// <summary>A progress bar on standard error; nothing where no terminal shows it.</summary>
internal static class ProgressBar
{
    /// <summary>Runs <paramref name="work"/>, which reports the share that is done, 0 to 1.</summary>
    public static async Task<T> RunAsync<T>(string title, Func<IProgress<double>, Task<T>> work)
    {
        if (Console.IsErrorRedirected)
            return await work(new Share(_ => { }));
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Error) });
        return await console.Progress()
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .StartAsync(async context =>
            {
                var task = context.AddTask(Markup.Escape(title), maxValue: 1);
                return await work(new Share(value => task.Value = value));
            });
    }

    /// <summary>Reports at once, on the thread that works.</summary>
    private sealed class Share(Action<double> set) : IProgress<double>
    {
        public void Report(double value) => set(value);
    }

    /// <summary>Progress in parts of a whole as a share.</summary>
    public sealed class Counted<T>(IProgress<double> progress, Func<T, double> share) : IProgress<T>
    {
        public void Report(T value) => progress.Report(share(value));
    }
}
