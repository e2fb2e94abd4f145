namespace Slm.Tokenization;

/// <summary>
/// Ids with the half-open ranges of the UTF-8 text they stand for; the three arrays have one length.
/// Tokens that stand for no text (BOS) have an empty range. Where normalization changed the text, a range
/// covers the original bytes the token came from.
/// </summary>
public sealed record TokenEncoding(int[] Ids, int[] StartBytes, int[] EndBytes);
