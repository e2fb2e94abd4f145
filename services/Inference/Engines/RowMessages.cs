using Slm.Contracts.Grains;
using Slm.Engine.Wire;

namespace Slm.Inference.Engines;

/// <summary>Activations as they have come.</summary>
internal static class RowMessages
{
    /// <summary>The rows, to be read one by one before they are released.</summary>
    /// <exception cref="ArgumentException">The message contradicts itself.</exception>
    public static EncodedRows Open(this WireRows message) => new((WireFormat)message.Format, message.Rows, message.Width, message.Payload, message.Scaled);
}
