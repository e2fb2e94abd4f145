namespace Slm.Engine.Wire;

/// <summary>How rows of activations are written for another process; the numbers are part of the messages.</summary>
public enum WireFormat
{
    /// <summary>32-bit floats: exact.</summary>
    F32 = 1,

    /// <summary>
    /// Halves, rounded to nearest even: an error of at most 2^-11 of a value, or 2^-25 if that is more. A row with a value beyond
    /// 65504 is scaled by 2^-e, and its smallest error with it.
    /// </summary>
    F16 = 2,

    /// <summary>
    /// int8 in blocks of 32, each with a 32-bit scale: an error of at most 1/254 of the largest magnitude of the block. Products
    /// with quantized weights round their input in the same way, so that theirs loses nothing more.
    /// </summary>
    Q8 = 3,
}
