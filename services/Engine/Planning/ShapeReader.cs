using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Engine.Planning;

/// <summary>Reads a <see cref="ModelShape"/> from a model's metadata and tensor list.</summary>
internal static class ShapeReader
{
    public static ModelShape Read(ModelFile file, KvType kvType) => throw new NotSupportedException("The reader is not written yet.");
}
