using Slm.Contracts.Grains;
using Slm.Inference.Direct;

namespace Slm.Inference.Engines;

/// <summary>A place in a pipeline and the stage that fills it now.</summary>
/// <param name="Spec">What is to be there.</param>
/// <param name="Attempt">How many stages have filled it before.</param>
/// <param name="Key">Key of the stage's grain.</param>
/// <param name="Grain">The stage.</param>
/// <param name="Info">What it holds, and where.</param>
/// <param name="Experts">The groups that hold experts of its layers.</param>
/// <param name="Here">The stage itself, if it is in this process.</param>
internal sealed record StageSlot(StageSpec Spec, int Attempt, string Key, IStageGrain Grain, StageInfo Info, IReadOnlyList<ExpertSlot> Experts, StageRunner? Here)
{
    /// <summary>Has the stage run a step: without a message, if it is in this process.</summary>
    public Task<StageResult> RunAsync(StageRequest request) => Here is { } here ? here.RunAsync(request) : Grain.RunAsync(request).AsTask();

    /// <summary>Hands a step to the stage, which passes it on.</summary>
    /// <exception cref="IOException">A direct connection broke under it.</exception>
    public Task PassAsync(StagePass pass, DirectLinks links)
    {
        if (Here is { } here)
            here.Pass(pass);
        else if (!links.TryPass(Info.Silo, Key, pass))
            return Grain.PassAsync(pass);
        return Task.CompletedTask;
    }

    /// <summary>How far the stage is.</summary>
    public Task<StageProgress> ProgressAsync() => Here is { } here ? Task.FromResult(here.Progress) : Grain.ProgressAsync();

    /// <summary>Everything that has to live for it: the stage, then its groups.</summary>
    public IEnumerable<(string Key, string Silo, Func<Task<bool>> Ping)> Parts =>
        Experts.Select(e => (e.Key, e.Info.Silo, (Func<Task<bool>>)e.Grain.PingAsync)).Prepend((Key, Info.Silo, Grain.PingAsync));
}

/// <summary>A group of experts of a stage, where it is now.</summary>
/// <param name="Spec">What it holds.</param>
/// <param name="Attempt">How many have held it before.</param>
/// <param name="Key">Key of the group's grain.</param>
/// <param name="Grain">The group.</param>
/// <param name="Info">What it holds, and where.</param>
internal sealed record ExpertSlot(ExpertGroupSpec Spec, int Attempt, string Key, IExpertGroupGrain Grain, ExpertGroupInfo Info);

/// <summary>A stage that is to be loaded.</summary>
/// <param name="Spec">What it is to hold; who holds its experts is filled in when they are loaded.</param>
/// <param name="Silo">Where.</param>
/// <param name="Local">Experts that it holds itself; null: all.</param>
/// <param name="Groups">Groups for the others, and their silos.</param>
/// <param name="Wire">How rows travel to the groups and back: 1 F32, 2 F16, 3 Q8.</param>
internal sealed record StageOrder(StageSpec Spec, string Silo, int[]? Local, IReadOnlyList<(ExpertGroupSpec Spec, string Silo)> Groups, int Wire);
