namespace Slm.Trainer;

/// <summary>Settings of the trainer service, section <c>Slm:Trainer</c>.</summary>
public sealed record TrainerServiceOptions
{
    /// <summary>Name of the section.</summary>
    public const string Section = "Slm:Trainer";

    /// <summary>
    /// The command that trains, with its first arguments separated by spaces. Unset: <c>slm-train</c> beside this program, or
    /// the project <c>services/Training</c> of the source checkout this program was built in.
    /// </summary>
    public string? Command { get; init; }

    /// <summary>Folder of the job records and of what the jobs produce. Default <c>~/.slm/jobs</c>.</summary>
    public string Folder { get; init; } = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".slm", "jobs");

    /// <summary>Largest configuration accepted, in characters.</summary>
    public int MaxConfigLength { get; init; } = 256 * 1024;

    /// <summary>How long a job that is cancelled or stopped may take to write its checkpoint before it is killed.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(60);
}
