namespace Slm.Engine.Execution;

/// <summary>A contiguous range of layers: what one stage computes. <paramref name="End"/> is exclusive.</summary>
public readonly record struct LayerRange(int First, int End)
{
    /// <summary>Number of layers in the range.</summary>
    public int Count => End - First;

    /// <summary>Splits <paramref name="layers"/> layers into <paramref name="stages"/> ranges whose sizes differ by at most one.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer layers than stages, or no stage.</exception>
    public static LayerRange[] Split(int layers, int stages)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(stages, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(stages, layers);
        var ranges = new LayerRange[stages];
        for (var s = 0; s < stages; s++)
            ranges[s] = new LayerRange((int)((long)layers * s / stages), (int)((long)layers * (s + 1) / stages));
        return ranges;
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{First}, {End})";
}
