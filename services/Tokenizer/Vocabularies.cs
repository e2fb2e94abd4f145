using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Slm.Engine.Formats;
using Slm.Runtime;
using Slm.Tokenization;
using Slm.Tokenization.Templates;

namespace Slm.Tokenizer;

/// <summary>The tokenizers of the model files, each read once per version of its file; weights are never touched.</summary>
internal sealed class Vocabularies(ModelCatalog catalog)
{
    private const int Capacity = 16;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, (CatalogEntry Entry, Lazy<Vocabulary> Value)> _known = new(StringComparer.Ordinal);

    /// <summary>The vocabulary of a model.</summary>
    /// <exception cref="ModelNotFoundException">There is no such model.</exception>
    /// <exception cref="ModelFormatException">Its file is malformed.</exception>
    /// <exception cref="TokenizerFormatException">Its tokenizer is.</exception>
    public Vocabulary Get(string model)
    {
        var entry = ModelName.Find(catalog, model).Model;
        Lazy<Vocabulary> value;
        lock (_gate)
        {
            if (!_known.TryGetValue(entry.Name, out var known) || known.Entry != entry)
            {
                if (_known.Count >= Capacity)
                    _known.Clear();
                _known[entry.Name] = known = (entry, new Lazy<Vocabulary>(() => Read(entry), LazyThreadSafetyMode.ExecutionAndPublication));
            }
            value = known.Value;
        }
        return value.Value;
    }

    private static Vocabulary Read(CatalogEntry entry)
    {
        using var file = ModelSource.Open(entry.Path);
        var tokenizer = TokenizerLoader.FromGguf(file.Metadata);
        var architecture = file.Metadata.GetValueOrDefault("general.architecture") as string ?? "";
        var context = file.Metadata.GetValueOrDefault($"{architecture}.context_length");
        return new Vocabulary(entry.Name, tokenizer, context is null ? 0 : Convert.ToInt32(context, System.Globalization.CultureInfo.InvariantCulture));
    }
}

/// <summary>A model's tokenizer and what else of its file concerns text.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="ContextLength">Longest sequence the model was made for; 0 if its file does not say.</param>
internal sealed record Vocabulary(string Model, ITokenizer Tokenizer, int ContextLength)
{
    private readonly Lazy<ChatTemplate?> _template = new(() =>
        Tokenizer.Info.ChatTemplate is { Length: > 0 } source ? ChatTemplate.Parse(source) : null);

    private readonly Lazy<string> _hash = new(() => HashOf(Tokenizer));

    /// <summary>SHA-256 over all tokens in order, in hexadecimal: each as its length and its spelling.</summary>
    public string Hash => _hash.Value;

    /// <summary>The model's own chat template.</summary>
    /// <exception cref="ChatTemplateMissingException">It has none.</exception>
    /// <exception cref="TemplateException">It is not valid.</exception>
    public ChatTemplate Template => _template.Value ?? throw new ChatTemplateMissingException(Model);

    private static string HashOf(ITokenizer tokenizer)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> length = stackalloc byte[4];
        for (var id = 0; id < tokenizer.VocabSize; id++)
        {
            var piece = Encoding.UTF8.GetBytes(tokenizer.Piece(id));
            BinaryPrimitives.WriteInt32LittleEndian(length, piece.Length);
            hash.AppendData(length);
            hash.AppendData(piece);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
