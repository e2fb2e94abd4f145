using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Slm.Engine.Tests.Formats;

/// <summary>Writes safetensors files for tests: tensors in the order they were added, the header padded to <paramref name="alignment"/>.</summary>
internal sealed class SafetensorsWriter(int alignment = 8)
{
    private readonly List<(string Name, string Type, long[] Shape, byte[] Data)> _tensors = [];

    public Dictionary<string, string> Metadata { get; } = [];

    public SafetensorsWriter Add(string name, string type, long[] shape, byte[] data)
    {
        _tensors.Add((name, type, shape, data));
        return this;
    }

    public byte[] ToArray()
    {
        var entries = new List<string>();
        if (Metadata.Count > 0)
            entries.Add("\"__metadata__\":" + JsonSerializer.Serialize(Metadata));
        var offset = 0L;
        foreach (var (name, type, shape, data) in _tensors)
        {
            entries.Add(string.Create(CultureInfo.InvariantCulture,
                $"{JsonSerializer.Serialize(name)}:{{\"dtype\":\"{type}\",\"shape\":[{string.Join(',', shape)}],\"data_offsets\":[{offset},{offset + data.Length}]}}"));
            offset += data.Length;
        }

        return Image("{" + string.Join(',', entries) + "}", [.. _tensors.SelectMany(t => t.Data)], alignment);
    }

    /// <summary>A file of any header and data.</summary>
    public static byte[] Image(string header, byte[] data, int alignment = 1)
    {
        var text = Encoding.UTF8.GetBytes(header).ToList();
        while ((text.Count + 8) % alignment != 0)
            text.Add((byte)' ');
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, text.Count);
        return [.. length, .. text, .. data];
    }
}
