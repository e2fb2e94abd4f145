using System.Runtime.InteropServices;
using Slm.Training.Tokenizer;

namespace Slm.Training.Data;

/// <summary>
/// Encoded documents: 16-bit ids, one document after the other, each ended by the end-of-text token.
/// File: magic, Int32 vocabulary, end-of-text id, document count, Int64 text bytes, Int32 length of each document, ids.
/// </summary>
public sealed class TokenStore
{
    private const ulong Magic = 0x31304B4F544D4C53; // "SLMTOK01"

    private readonly int[] _starts;

    private TokenStore(int vocabSize, int endOfText, long textBytes, int[] lengths, ushort[] tokens)
    {
        (VocabSize, EndOfText, TextBytes, Tokens) = (vocabSize, endOfText, textBytes, tokens);
        _starts = new int[lengths.Length + 1];
        for (var i = 0; i < lengths.Length; i++)
            _starts[i + 1] = _starts[i] + lengths[i];
    }

    /// <summary>Vocabulary entries of the tokenizer.</summary>
    public int VocabSize { get; }

    /// <summary>Id that ends each document.</summary>
    public int EndOfText { get; }

    /// <summary>UTF-8 bytes of all texts.</summary>
    public long TextBytes { get; }

    /// <summary>All documents' ids.</summary>
    public ushort[] Tokens { get; }

    /// <summary>Number of documents.</summary>
    public int Count => _starts.Length - 1;

    /// <summary>Ids of one document, with the end-of-text token at its end.</summary>
    public ReadOnlySpan<ushort> this[int document] => Tokens.AsSpan(_starts[document].._starts[document + 1]);

    /// <summary>Encodes texts on all processors, in order.</summary>
    public static TokenStore Encode(IEnumerable<string> texts, BpeVocabulary vocabulary)
    {
        using var encoders = new ThreadLocal<BpeEncoder>(vocabulary.CreateEncoder);
        var tokens = new List<ushort>();
        var lengths = new List<int>();
        long bytes = 0;
        foreach (var (ids, size) in texts.AsParallel().AsOrdered().Select(text =>
        {
            var ids = new List<ushort>(512);
            encoders.Value!.Encode(text, ids);
            ids.Add((ushort)vocabulary.EndOfTextId);
            return (ids, System.Text.Encoding.UTF8.GetByteCount(text));
        }))
        {
            tokens.AddRange(CollectionsMarshal.AsSpan(ids));
            lengths.Add(ids.Count);
            bytes += size;
        }

        return new TokenStore(vocabulary.Size, vocabulary.EndOfTextId, bytes, [.. lengths], [.. tokens]);
    }

    /// <summary>Writes the file, replacing it in one move.</summary>
    public void Save(string path)
    {
        var temporary = path + ".tmp";
        using (var writer = new BinaryWriter(File.Create(temporary)))
        {
            writer.Write(Magic);
            writer.Write(VocabSize);
            writer.Write(EndOfText);
            writer.Write(Count);
            writer.Write(TextBytes);
            for (var i = 0; i < Count; i++)
                writer.Write(_starts[i + 1] - _starts[i]);
            writer.Write(MemoryMarshal.AsBytes(Tokens.AsSpan()));
        }

        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>Reads a file that <see cref="Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">Not such a file, or cut short.</exception>
    public static TokenStore Load(string path)
    {
        using var reader = new BinaryReader(File.OpenRead(path));
        if (reader.ReadUInt64() != Magic)
            throw new InvalidDataException($"{path} is not a file of encoded documents.");
        var (vocabulary, end, count, bytes) = (reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt64());
        var lengths = new int[count];
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(lengths.AsSpan()));
        var tokens = new ushort[lengths.Sum(l => (long)l)];
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(tokens.AsSpan()));
        return new TokenStore(vocabulary, end, bytes, lengths, tokens);
    }
}
