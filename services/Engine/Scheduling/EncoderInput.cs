using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Slm.Engine.Scheduling;

/// <summary>
/// What the encoder of an encoder-decoder model reads. Its keys and values take whole KV blocks at the head of the sequence's
/// table. Each position of it sees all of it, so that the blocks are of use to sequences with exactly the same input only:
/// they are found in the prefix tree under a scope that the input is part of.
/// </summary>
internal sealed class EncoderInput
{
    private string? _scope;

    /// <param name="tokens">At least one.</param>
    /// <param name="blockSize">Positions per block.</param>
    public EncoderInput(int[] tokens, int blockSize)
    {
        Tokens = tokens;
        Padded = new int[(tokens.Length + blockSize - 1) / blockSize * blockSize];
        Padded.AsSpan().Fill(-1);
        tokens.CopyTo(Padded, 0);
    }

    /// <summary>The tokens.</summary>
    public int[] Tokens { get; }

    /// <summary>The tokens, and -1 up to the end of the last block.</summary>
    public int[] Padded { get; }

    /// <summary>Positions of whole blocks.</summary>
    public int Positions => Padded.Length;

    /// <summary>The scope of sequences with this input within another.</summary>
    public string Scope(string outer) =>
        _scope ??= $"{outer}\0{Convert.ToHexString(SHA256.HashData(MemoryMarshal.AsBytes<int>(Tokens)))}";
}
