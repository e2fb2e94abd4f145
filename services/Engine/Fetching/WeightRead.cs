using Slm.Engine.Formats;

namespace Slm.Engine.Fetching;

/// <summary>A part of a tensor that is read.</summary>
/// <param name="Tensor">The tensor.</param>
/// <param name="Offset">First byte within it.</param>
/// <param name="Bytes">How many.</param>
/// <param name="Expert">The expert that it belongs to; null: all tokens use it.</param>
internal sealed record WeightRead(TensorInfo Tensor, long Offset, long Bytes, int? Expert);
