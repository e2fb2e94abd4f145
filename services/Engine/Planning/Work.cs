namespace Slm.Engine.Planning;

/// <summary>What is read and multiplied: by products with weights, and by attention with what a sequence keeps.</summary>
/// <param name="WeightBytes">Bytes of weights.</param>
/// <param name="WeightMultiplyAdds">Multiply-adds with them.</param>
/// <param name="CacheBytes">Bytes of keys, values and recurrent state.</param>
/// <param name="CacheMultiplyAdds">Multiply-adds with them.</param>
internal readonly record struct Work(double WeightBytes, double WeightMultiplyAdds, double CacheBytes, double CacheMultiplyAdds)
{
    /// <summary>
    /// Seconds on a machine that reads r bytes and does f multiply-adds a second:
    /// max(weight bytes / r, weight multiply-adds / f) + max(cache bytes / r, cache multiply-adds / f).
    /// </summary>
    public double Seconds(MachineSpec machine) =>
        Math.Max(WeightBytes / machine.ReadBytesPerSecond, WeightMultiplyAdds / machine.MultiplyAddsPerSecond)
        + Math.Max(CacheBytes / machine.ReadBytesPerSecond, CacheMultiplyAdds / machine.MultiplyAddsPerSecond);

    /// <summary>Whether products with weights wait for memory rather than for arithmetic.</summary>
    public bool IsReading(MachineSpec machine) => WeightBytes / machine.ReadBytesPerSecond >= WeightMultiplyAdds / machine.MultiplyAddsPerSecond;

    public static Work operator +(Work a, Work b) =>
        new(a.WeightBytes + b.WeightBytes, a.WeightMultiplyAdds + b.WeightMultiplyAdds, a.CacheBytes + b.CacheBytes, a.CacheMultiplyAdds + b.CacheMultiplyAdds);

    public static Work operator -(Work a, Work b) =>
        new(a.WeightBytes - b.WeightBytes, a.WeightMultiplyAdds - b.WeightMultiplyAdds, a.CacheBytes - b.CacheBytes, a.CacheMultiplyAdds - b.CacheMultiplyAdds);
}
