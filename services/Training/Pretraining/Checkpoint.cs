using System.Runtime.InteropServices;
using System.Text.Json;

namespace Slm.Training.Pretraining;

/// <summary>Where a run stands, besides weights and moments. Batches and their order follow from the step alone.</summary>
public sealed record RunState
{
    /// <summary>Updates done.</summary>
    public int Step { get; set; }

    /// <summary>Target tokens trained on.</summary>
    public long Tokens { get; set; }

    /// <summary>Seconds of training, over all starts.</summary>
    public double Seconds { get; set; }

    /// <summary>Step the decay starts after; decided by the clock where there is a time budget.</summary>
    public int DecayStart { get; set; }

    /// <summary>Steps of the decay.</summary>
    public int DecaySteps { get; set; }

    /// <summary>True once the decay's start is fixed.</summary>
    public bool DecayFixed { get; set; }

    /// <summary>Hash of what must not change between starts: model, data, vocabulary, optimization.</summary>
    public string ConfigHash { get; set; } = "";

    /// <summary>Loss by step, for the curve.</summary>
    public List<LossPoint> Curve { get; init; } = [];
}

/// <summary>One point of the curve.</summary>
/// <param name="Step">Update.</param>
/// <param name="Tokens">Target tokens so far.</param>
/// <param name="Loss">Mean training loss of the steps since the point before, in nats a token; null at a validation.</param>
/// <param name="Validation">Validation loss in nats a token, or null.</param>
public sealed record LossPoint(int Step, long Tokens, double? Loss, double? Validation);

/// <summary>
/// A checkpoint file: magic, Int32 length and JSON of the <see cref="RunState"/>, Int32 count, then weights, first and
/// second moments as F32. Written beside its name and moved over it.
/// </summary>
internal static class Checkpoint
{
    private const ulong Magic = 0x313054504B434C53; // "SLCKPT01"

    /// <summary>Writes a checkpoint.</summary>
    public static void Save(string path, RunState state, ReadOnlySpan<float> weights, ReadOnlySpan<float> first, ReadOnlySpan<float> second)
    {
        var temporary = path + ".tmp";
        using (var stream = File.Create(temporary))
        using (var writer = new BinaryWriter(stream))
        {
            var json = JsonSerializer.SerializeToUtf8Bytes(state);
            writer.Write(Magic);
            writer.Write(json.Length);
            writer.Write(json);
            writer.Write(weights.Length);
            writer.Write(MemoryMarshal.AsBytes(weights));
            writer.Write(MemoryMarshal.AsBytes(first));
            writer.Write(MemoryMarshal.AsBytes(second));
            writer.Flush();
            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Reads a checkpoint; <paramref name="first"/> and <paramref name="second"/> may be empty to skip the moments.</summary>
    /// <exception cref="InvalidDataException">Not a checkpoint, or of a model of another size.</exception>
    public static RunState Load(string path, Span<float> weights, Span<float> first, Span<float> second)
    {
        using var reader = new BinaryReader(File.OpenRead(path));
        if (reader.ReadUInt64() != Magic)
            throw new InvalidDataException($"{path} is not a checkpoint.");
        var state = JsonSerializer.Deserialize<RunState>(reader.ReadBytes(reader.ReadInt32()))
            ?? throw new InvalidDataException($"{path} holds no state.");
        var count = reader.ReadInt32();
        if (count != weights.Length)
            throw new InvalidDataException($"{path} holds {count} weights, the model of the configuration has {weights.Length}.");
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(weights));
        if (first.IsEmpty)
            return state;
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(first));
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(second));
        return state;
    }
}
