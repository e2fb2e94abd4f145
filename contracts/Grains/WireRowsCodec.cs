using System.Buffers;
using Orleans.Serialization.Buffers;
using Orleans.Serialization.Codecs;
using Orleans.Serialization.WireProtocol;

namespace Slm.Contracts.Grains;

/// <summary>
/// Writes <see cref="WireRows"/> from their rented buffer straight into the connection's and reads them straight into a rented
/// one, so that a step allocates no arrays for its activations. Fields: 0 rows, 1 width, 2 format, 3 scaled rows, 4 payload;
/// readers skip fields that they do not know.
/// </summary>
[RegisterSerializer]
public sealed class WireRowsCodec : IFieldCodec<WireRows>
{
    private const int MaxBytes = 1 << 30;

    /// <inheritdoc/>
    public void WriteField<TBufferWriter>(ref Writer<TBufferWriter> writer, uint fieldIdDelta, Type? expectedType, WireRows? value)
        where TBufferWriter : IBufferWriter<byte>
    {
        if (ReferenceCodec.TryWriteReferenceField(ref writer, fieldIdDelta, expectedType, value))
            return;
        var buffer = value!.Take(out var bytes);
        writer.WriteFieldHeader(fieldIdDelta, expectedType, typeof(WireRows), WireType.TagDelimited);
        Int32Codec.WriteField(ref writer, 0, value.Rows);
        Int32Codec.WriteField(ref writer, 1, value.Width);
        Int32Codec.WriteField(ref writer, 1, value.Format);
        writer.WriteFieldHeaderExpected(1, WireType.LengthPrefixed);
        WriteScaled(ref writer, value.Scaled);
        writer.WriteFieldHeaderExpected(1, WireType.LengthPrefixed);
        writer.WriteVarUInt32((uint)bytes);
        if (buffer is not null)
        {
            writer.Write(buffer.AsSpan(0, bytes));
            ArrayPool<byte>.Shared.Return(buffer);
        }

        writer.WriteEndObject();
    }

    /// <inheritdoc/>
    public WireRows ReadValue<TInput>(ref Reader<TInput> reader, Field field)
    {
        if (field.IsReference)
            return ReferenceCodec.ReadReference<WireRows, TInput>(ref reader, field)!;
        field.EnsureWireTypeTagDelimited();
        var placeholder = ReferenceCodec.CreateRecordPlaceholder(reader.Session);
        int rows = 0, width = 0, format = 0, bytes = 0;
        int[] scaled = [];
        byte[] buffer = [];
        uint id = 0;
        while (true)
        {
            var header = reader.ReadFieldHeader();
            if (header.IsEndBaseOrEndObject)
                break;
            id += header.FieldIdDelta;
            switch (id)
            {
                case 0:
                    rows = Int32Codec.ReadValue(ref reader, header);
                    break;
                case 1:
                    width = Int32Codec.ReadValue(ref reader, header);
                    break;
                case 2:
                    format = Int32Codec.ReadValue(ref reader, header);
                    break;
                case 3:
                    scaled = ReadScaled(ref reader, header);
                    break;
                case 4:
                    header.EnsureWireType(WireType.LengthPrefixed);
                    bytes = Length(ref reader);
                    buffer = bytes == 0 ? [] : ArrayPool<byte>.Shared.Rent(bytes);
                    reader.ReadBytes(buffer.AsSpan(0, bytes));
                    break;
                default:
                    reader.ConsumeUnknownField(header);
                    break;
            }
        }

        var result = new WireRows(rows, width, format, scaled, buffer, bytes);
        ReferenceCodec.RecordObject(reader.Session, result, placeholder);
        return result;
    }

    private static void WriteScaled<TBufferWriter>(ref Writer<TBufferWriter> writer, int[] scaled)
        where TBufferWriter : IBufferWriter<byte>
    {
        writer.WriteVarUInt32((uint)scaled.Length * sizeof(int));
        foreach (var number in scaled)
            writer.WriteInt32(number);
    }

    private static int[] ReadScaled<TInput>(ref Reader<TInput> reader, Field header)
    {
        header.EnsureWireType(WireType.LengthPrefixed);
        var scaled = new int[Length(ref reader) / sizeof(int)];
        for (var i = 0; i < scaled.Length; i++)
            scaled[i] = reader.ReadInt32();
        return scaled;
    }

    /// <summary>A length that the message has bytes for, before memory is taken for it.</summary>
    private static int Length<TInput>(ref Reader<TInput> reader)
    {
        var length = reader.ReadVarUInt32();
        return length <= MaxBytes && length <= reader.Length - reader.Position
            ? (int)length
            : throw new InvalidDataException($"Activations claim {length} bytes; the message has {reader.Length - reader.Position} more.");
    }
}
