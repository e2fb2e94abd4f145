namespace Slm.Training.Stories;

/// <summary>Replays a plot's events on a fresh world: the oracle for causal consistency.</summary>
public static class StoryReplay
{
    /// <summary>Faults of the plot; empty when every event's preconditions hold and the end is as the plot says.</summary>
    public static IReadOnlyList<string> Check(StoryPlot plot)
    {
        var faults = new List<string>();
        var world = new World();
        for (int i = 0; i < plot.Events.Count; i++)
        {
            var e = plot.Events[i];
            if (e.Id != i)
                faults.Add($"event {i} has id {e.Id}");
            if (e.Causes.Any(c => c < 0 || c >= i))
                faults.Add($"event {i} is caused by an event that does not come before it");
            try
            {
                var again = world.Apply(e.Kind, e.Actor, e.Thing, e.Target, e.Detail);
                if (again.Place != e.Place)
                    faults.Add($"event {i} happens at '{again.Place}', the plot says '{e.Place}'");
                if (!again.Causes.SequenceEqual(e.Causes))
                    faults.Add($"event {i} has other causes");
            }
            catch (PlotException fault)
            {
                faults.Add($"event {i}: {fault.Message}");
            }
        }

        if (world.GoalMet != plot.GoalMet)
            faults.Add($"the goal is {world.GoalMet}, the plot says {plot.GoalMet}");
        foreach (var thing in plot.Objects)
        {
            if (world.HolderOf(thing.Name) != thing.FinalHolder || world.IsBroken(thing.Name) != thing.Broken)
                faults.Add($"{thing.Name} ends with '{world.HolderOf(thing.Name)}', the plot says '{thing.FinalHolder}'");
        }

        return faults;
    }
}
