namespace Slm.Engine.Planning;

/// <summary>What is read and multiplied: by products with weights, and by attention with what a sequence keeps.</summary>
/// <param name="WeightBytes">Bytes of weights.</param>
/// <param name="MultiplyAdds">Multiply-adds with quantized weights.</param>
/// <param name="FloatMultiplyAdds">Multiply-adds with weights that are floats.</param>
/// <param name="CacheBytes">Bytes of keys, values and recurrent state.</param>
/// <param name="CacheMultiplyAdds">Multiply-adds with them, in floats.</param>
internal readonly record struct Work(double WeightBytes, double MultiplyAdds, double FloatMultiplyAdds, double CacheBytes, double CacheMultiplyAdds)
{
    /// <summary>
    /// Seconds on a machine that reads r bytes, and does f multiply-adds of quantized weights and g of floats a second: the longer of
    /// weight bytes / r and (multiply-adds / f + float multiply-adds / g), half the shorter, and max(cache bytes / r, cache multiply-adds / g).
    /// </summary>
    /// <remarks>
    /// Reading and multiplying overlap by half in products: measured on 600 MiB of 4-bit weights with 2, 4, 8 and 16 tokens, on memory of
    /// 38 to 56 GB/s, this is within 13 % of a step; the sum of both is up to 35 % too long, the longer of both up to 32 % too short.
    /// Attention asks for its memory ahead.
    /// </remarks>
    public double Seconds(MachineSpec machine)
    {
        var (read, multiply) = (ReadSeconds(machine), MultiplySeconds(machine));
        return Math.Max(read, multiply) + (Math.Min(read, multiply) / 2) + CacheSeconds(machine);
    }

    /// <summary>Seconds of reading weights.</summary>
    public double ReadSeconds(MachineSpec machine) => WeightBytes / machine.ReadBytesPerSecond;

    /// <summary>Seconds of multiplying with weights.</summary>
    public double MultiplySeconds(MachineSpec machine) => (MultiplyAdds / machine.MultiplyAddsPerSecond) + (FloatMultiplyAdds / machine.FloatSpeed);

    /// <summary>Seconds of attention, and of what else a sequence keeps.</summary>
    public double CacheSeconds(MachineSpec machine) => Math.Max(CacheBytes / machine.ReadBytesPerSecond, CacheMultiplyAdds / machine.FloatSpeed);

    public static Work operator +(Work a, Work b) => new(
        a.WeightBytes + b.WeightBytes, a.MultiplyAdds + b.MultiplyAdds, a.FloatMultiplyAdds + b.FloatMultiplyAdds, a.CacheBytes + b.CacheBytes, a.CacheMultiplyAdds + b.CacheMultiplyAdds);

    public static Work operator -(Work a, Work b) => new(
        a.WeightBytes - b.WeightBytes, a.MultiplyAdds - b.MultiplyAdds, a.FloatMultiplyAdds - b.FloatMultiplyAdds, a.CacheBytes - b.CacheBytes, a.CacheMultiplyAdds - b.CacheMultiplyAdds);
}
