namespace Slm.Engine.Fetching;

/// <summary>A copy of a model does not fit beside those in use.</summary>
public sealed class WeightCacheFullException(string model, long neededBytes, long usedBytes, long limitBytes) : Exception(
    $"The parts of '{model}' need {neededBytes} more bytes of the weight cache, which may have {limitBytes} and of which {usedBytes} are in use. Raise the limit, or unload what is not needed.")
{
    /// <summary>Bytes that are to be fetched.</summary>
    public long NeededBytes { get; } = neededBytes;

    /// <summary>Bytes that cannot be deleted.</summary>
    public long UsedBytes { get; } = usedBytes;

    /// <summary>The limit.</summary>
    public long LimitBytes { get; } = limitBytes;
}
