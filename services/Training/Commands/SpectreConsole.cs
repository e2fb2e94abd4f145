using System.Globalization;
using Slm.Training.Pretraining;
using Spectre.Console;

namespace Slm.Training.Commands;

/// <summary>For a person: a progress bar with loss, tokens/s and time left where the terminal can show one, else a line now and then.</summary>
internal sealed class SpectreConsole(IAnsiConsole console, TimeProvider time) : IRunConsole, IDisposable
{
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(30);
    private const int BarWidth = 30;
    private long? _last;
    private double? _validation;
    private bool _open;

    /// <inheritdoc/>
    public void Phase(string name, string message)
    {
        CloseBar();
        console.MarkupLineInterpolated($"[bold]{name}[/] {message}");
    }

    /// <inheritdoc/>
    public void Step(StepReport report, int epoch)
    {
        _validation = report.Validation ?? _validation;
        var live = console.Profile.Capabilities.Interactive && console.Profile.Capabilities.Ansi;
        var done = report.Step == report.TotalSteps;
        if (!done && _last is { } last && time.GetElapsedTime(last) < (live ? Refresh : LineInterval))
            return;
        _last = time.GetTimestamp();
        var filled = (int)Math.Round((double)BarWidth * report.Step / report.TotalSteps);
        var left = TimeSpan.FromSeconds(report.SecondsLeft);
        var text = string.Create(CultureInfo.InvariantCulture,
            $"step {report.Step}/{report.TotalSteps}  loss {report.Loss:F3}  validation {(_validation is { } v ? v.ToString("F3", CultureInfo.InvariantCulture) : "-")}  rate {report.LearningRate:G2}  {report.TokensPerSecond:N0} tokens/s  {(int)left.TotalHours}:{left:mm\\:ss} left");
        if (!live)
        {
            console.WriteLine(text);
            return;
        }

        console.Write("\r");
        console.Markup($"[green]{new string('━', filled)}[/][grey]{new string('━', BarWidth - filled)}[/] {text.EscapeMarkup()}  ");
        _open = true;
    }

    /// <inheritdoc/>
    public void Result(string path)
    {
        CloseBar();
        console.MarkupLineInterpolated($"[green]wrote[/] {path}");
    }

    /// <inheritdoc/>
    public void Error(string code, string message)
    {
        CloseBar();
        console.MarkupLineInterpolated($"[red]{code}[/] {message}");
    }

    /// <inheritdoc/>
    public void Dispose() => CloseBar();

    private void CloseBar()
    {
        if (_open)
            console.WriteLine();
        _open = false;
    }
}
