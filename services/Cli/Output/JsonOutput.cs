using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf;

namespace Slm.Cli.Output;

/// <summary>The one JSON document that a command with <c>--json</c> leaves on standard output.</summary>
internal static class JsonOutput
{
    private static readonly JsonFormatter Messages = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true).WithPreserveProtoFieldNames(true));
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the document when it is complete, so that an error on the way leaves nothing behind.</summary>
    public static void Write(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Options))
            write(writer);
        using var output = Console.OpenStandardOutput();
        buffer.WriteByte((byte)'\n');
        buffer.Position = 0;
        buffer.CopyTo(output);
        output.Flush();
    }

    /// <summary>A message of the contract in protobuf's JSON form, with the names of the .proto file.</summary>
    public static void Write(IMessage message) => Write(writer => writer.WriteRawValue(Messages.Format(message)));

    /// <summary>A message as one line of a file.</summary>
    public static string Line(IMessage message) => Messages.Format(message);

    public static void WriteNumbers(this Utf8JsonWriter writer, string name, IEnumerable<int> values)
    {
        writer.WriteStartArray(name);
        foreach (var value in values)
            writer.WriteNumberValue(value);
        writer.WriteEndArray();
    }
}
