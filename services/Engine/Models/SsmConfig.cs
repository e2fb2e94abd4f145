namespace Slm.Engine.Models;

/// <summary>Hyper-parameters of Mamba-2 layers (Dao and Gu 2024), as <c>{architecture}.ssm.*</c> has them.</summary>
public sealed record SsmConfig
{
    private const int MaxWidth = 1 << 20;

    /// <summary>Positions that the causal convolution sees, its own included.</summary>
    public required int ConvSize { get; init; }

    /// <summary>Elements of all heads' inputs together.</summary>
    public required int InnerSize { get; init; }

    /// <summary>Columns of a head's state.</summary>
    public required int StateSize { get; init; }

    /// <summary>Heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Groups of heads that share B and C; divides <see cref="Heads"/>.</summary>
    public required int Groups { get; init; }

    /// <summary>Rows of a head's state: elements of its input.</summary>
    public int HeadSize => InnerSize / Heads;

    /// <summary>Channels of the convolution: x, B and C.</summary>
    public int Channels => InnerSize + (2 * Groups * StateSize);

    /// <summary>Rows of the input projection: z, x, B, C and the heads' steps.</summary>
    public int ProjectionSize => InnerSize + Channels + Heads;

    /// <summary>Floats of the convolution's memory: what it still sees of earlier positions, [<see cref="ConvSize"/> - 1, <see cref="Channels"/>].</summary>
    public int ConvFloats => (ConvSize - 1) * Channels;

    /// <summary>Floats of a layer's state: the convolution's memory and the heads' states.</summary>
    public int StateFloats => ConvFloats + (InnerSize * StateSize);

    /// <summary>Reads the keys.</summary>
    /// <exception cref="Formats.ModelFormatException">A key is missing or absurd.</exception>
    internal static SsmConfig Read(GgufKeys keys)
    {
        var config = new SsmConfig
        {
            ConvSize = keys.RequiredInt("ssm.conv_kernel", 1, 64),
            InnerSize = keys.RequiredInt("ssm.inner_size", 1, MaxWidth),
            StateSize = keys.RequiredInt("ssm.state_size", 1, 1 << 14),
            Heads = keys.RequiredInt("ssm.time_step_rank", 1, MaxWidth),
            Groups = keys.RequiredInt("ssm.group_count", 1, MaxWidth),
        };
        if (config.InnerSize % config.Heads != 0)
            throw keys.Error($"'{keys.Key("ssm.inner_size")}' is {config.InnerSize}, no multiple of the {config.Heads} heads that '{keys.Key("ssm.time_step_rank")}' says.");
        if (config.Heads % config.Groups != 0)
            throw keys.Error($"'{keys.Key("ssm.time_step_rank")}' is {config.Heads}, no multiple of the {config.Groups} groups that '{keys.Key("ssm.group_count")}' says.");
        if ((long)config.InnerSize * config.StateSize > 1 << 28 || (long)config.Groups * config.StateSize > MaxWidth)
            throw keys.Error($"'{keys.Key("ssm.state_size")}' is {config.StateSize}; a state of {config.InnerSize} × {config.StateSize} in {config.Groups} groups is too large.");
        return config;
    }
}
