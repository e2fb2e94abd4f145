namespace Slm.Engine.Execution;

/// <summary>What keys and values are kept as.</summary>
public enum KvType
{
    /// <summary>32-bit floats.</summary>
    F32,

    /// <summary>16-bit integers with one scale per position and head: half the memory, and an error of at most 1/65,534 of a head's largest element.</summary>
    Q16,

    /// <summary>8-bit integers with one scale per position and head: a quarter of the memory, and an error of at most 1/254 of a head's largest element.</summary>
    Q8,
}
