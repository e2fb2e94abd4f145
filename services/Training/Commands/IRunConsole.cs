using Slm.Training.Pretraining;

namespace Slm.Training.Commands;

/// <summary>Where a command tells what it does.</summary>
internal interface IRunConsole
{
    /// <summary>A new phase begins.</summary>
    void Phase(string name, string message);

    /// <summary>A step of training ended.</summary>
    void Step(StepReport report, int epoch);

    /// <summary>The run gave a file.</summary>
    void Result(string path);

    /// <summary>The run failed; the code is of google.rpc.Code.</summary>
    void Error(string code, string message);
}
