using System.Text.Json;
using Slm.Training.Pretraining;

namespace Slm.Training.Commands;

/// <summary>
/// One JSON object a line, for a parent process: <c>{"event":"progress","phase":…,"step":…,"total_steps":…,"loss":…}</c>,
/// <c>{"event":"result","model":path}</c>, <c>{"event":"error","code":…,"message":…}</c>.
/// </summary>
internal sealed class JsonConsole(TextWriter output, TimeProvider time) : IRunConsole
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private long? _last;

    /// <inheritdoc/>
    public void Phase(string name, string message) => Write(new() { ["event"] = "progress", ["phase"] = name, ["message"] = message });

    /// <inheritdoc/>
    public void Step(StepReport report, int epoch)
    {
        if (report.Validation is null && report.Step < report.TotalSteps && _last is { } last && time.GetElapsedTime(last) < Interval)
            return;
        _last = time.GetTimestamp();
        var line = new Dictionary<string, object>
        {
            ["event"] = "progress",
            ["phase"] = "training",
            ["step"] = report.Step,
            ["total_steps"] = report.TotalSteps,
            ["fraction"] = (double)report.Step / report.TotalSteps,
            ["tokens"] = report.Tokens,
            ["epoch"] = epoch,
            ["loss"] = report.Loss,
            ["learning_rate"] = report.LearningRate,
            ["gradient_norm"] = report.GradientNorm,
            ["tokens_per_s"] = report.TokensPerSecond,
            ["eta_s"] = report.SecondsLeft,
        };
        if (report.Validation is { } validation)
            line["validation_loss"] = validation;
        Write(line);
    }

    /// <inheritdoc/>
    public void Result(string path) => Write(new() { ["event"] = "result", ["model"] = path });

    /// <inheritdoc/>
    public void Error(string code, string message) => Write(new() { ["event"] = "error", ["code"] = code, ["message"] = message });

    private void Write(Dictionary<string, object> line)
    {
        output.WriteLine(JsonSerializer.Serialize(line));
        output.Flush();
    }
}
