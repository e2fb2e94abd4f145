namespace Slm.Inference.Grains;

/// <summary>How long a part of a model lives without word from its owner.</summary>
/// <param name="time">Clock.</param>
internal sealed class GrainLease(TimeProvider time)
{
    private IGrainTimer? _timer;
    private long _lastWord;

    /// <summary>Begins the lease of a grain.</summary>
    /// <param name="grain">Whose scheduler looks after it.</param>
    /// <param name="length">How long it lasts without a word.</param>
    /// <param name="over">Called when it is over.</param>
    public void Begin(Grain grain, TimeSpan length, Func<Task> over)
    {
        Renew();
        _timer = grain.RegisterGrainTimer(_ => time.GetElapsedTime(_lastWord) > length ? over() : Task.CompletedTask, length / 4, length / 4);
    }

    /// <summary>There was a word.</summary>
    public void Renew() => _lastWord = time.GetTimestamp();

    /// <summary>Nothing is there any more that a lease could end.</summary>
    public void End()
    {
        _timer?.Dispose();
        _timer = null;
    }
}
