namespace Slm.Engine.Experts;

/// <summary>The way to groups of experts that are held elsewhere. A stage uses it from one thread at a time.</summary>
public interface IExpertChannel
{
    /// <summary>What each group holds.</summary>
    IReadOnlyList<ExpertSlice> Groups { get; }

    /// <summary>Sends a layer's visits to a group and returns without waiting. The rows have been read when it returns.</summary>
    /// <param name="group">Index in <see cref="Groups"/>.</param>
    /// <param name="visits">One visit or more, to experts of the group; stays as it is until the call is disposed.</param>
    /// <param name="cancellationToken">Gives the call up.</param>
    IExpertCall Begin(int group, ExpertVisits visits, CancellationToken cancellationToken);
}

/// <summary>A call to a group of experts that is on its way. Disposing of one that has not finished gives it up: nothing is written from then on.</summary>
public interface IExpertCall : IDisposable
{
    /// <summary>Waits for the group, then writes <see cref="ExpertVisits.Result"/> of every visit, on this thread.</summary>
    void Finish();
}
