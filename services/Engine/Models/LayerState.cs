namespace Slm.Engine.Models;

/// <summary>What one layer keeps of a sequence from step to step.</summary>
/// <param name="Attention">Heads whose keys and values are kept for every position; null if there are none.</param>
/// <param name="RecurrentFloats">Floats of recurrent state, which does not grow with the sequence.</param>
public readonly record struct LayerState(AttentionShape? Attention, int RecurrentFloats = 0);

/// <summary>Heads of an attention layer as they meet its cache.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KeyValueHeads">Heads of keys and values, each shared by as many query heads; divides <paramref name="Heads"/>.</param>
/// <param name="KeySize">Elements of a query or key.</param>
/// <param name="ValueSize">Elements of a value.</param>
public sealed record AttentionShape(int Heads, int KeyValueHeads, int KeySize, int ValueSize)
{
    /// <summary>Query heads that share one head of keys and values.</summary>
    public int Group => Heads / KeyValueHeads;
}
