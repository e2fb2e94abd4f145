using System.Text;
using Slm.Tokenization.Decoders;
using Slm.Tokenization.Models;
using Slm.Tokenization.Normalizers;
using Slm.Tokenization.PreTokenizers;
using Slm.Tokenization.Text;

namespace Slm.Tokenization;

/// <summary>The parts of a tokenizer, as a file describes them.</summary>
internal sealed record TokenizerParts
{
    public required Vocabulary Vocabulary { get; init; }

    public required ITokenModel Model { get; init; }

    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    public ITextNormalizer? Normalizer { get; init; }

    public IPreTokenizer? PreTokenizer { get; init; }

    /// <summary>Ids put before and after a text when special tokens are added.</summary>
    public int[] Before { get; init; } = [];

    public int[] After { get; init; } = [];

    /// <summary>Decoder stages in order; none means tokens are joined by spaces.</summary>
    public IReadOnlyList<DecoderFactory> Decoders { get; init; } = [];

    public required SpecialTokens Special { get; init; }

    public required TokenizerInfo Info { get; init; }
}

/// <summary>
/// The pipeline every tokenizer is: added tokens, normalizer, pre-tokenizer, model, special tokens around; and the
/// decoder chain back.
/// </summary>
internal sealed class ModelTokenizer : ITokenizer
{
    private readonly TokenizerParts _parts;
    private readonly HashSet<int> _special;
    private readonly AddedTokenMatcher[] _raw;
    private readonly AddedTokenMatcher[] _normalized;

    public ModelTokenizer(TokenizerParts parts)
    {
        _parts = parts;
        _special = [.. parts.AddedTokens.Where(static t => t.Special).Select(static t => t.Id)];
        _raw = [Matcher(parts, false, false), Matcher(parts, false, true)];
        _normalized = [Matcher(parts, true, false), Matcher(parts, true, true)];
    }

    private static AddedTokenMatcher Matcher(TokenizerParts parts, bool normalized, bool withSpecial) =>
        new(parts.AddedTokens.Where(t => (t.Normalized && parts.Normalizer is not null) == normalized && (withSpecial || !t.Special)).Select(t =>
        {
            var text = TextBuffer.FromString(t.Content);
            if (normalized)
                text = parts.Normalizer!.Normalize(text);
            return (t, text.CodePoints.ToArray());
        }));

    public int VocabSize => _parts.Vocabulary.Size;

    public SpecialTokens Special => _parts.Special;

    public TokenizerInfo Info => _parts.Info;

    public TokenEncoding Encode(string text, bool addSpecialTokens, bool parseSpecialTokens = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        var sink = new TokenSink();
        var buffer = TextBuffer.FromString(text);
        if (addSpecialTokens)
        {
            foreach (var id in _parts.Before)
                sink.Add(id, 0, 0);
        }

        var set = parseSpecialTokens ? 1 : 0;
        foreach (var section in _raw[set].Split(buffer.CodePoints))
        {
            if (section.Id >= 0)
                sink.Add(section.Id, buffer.Start(section.From), buffer.End(section.To - 1));
            else
                EncodeText(buffer, section, set, sink);
        }

        if (addSpecialTokens)
        {
            var end = buffer.Length == 0 ? 0 : buffer.End(buffer.Length - 1);
            foreach (var id in _parts.After)
                sink.Add(id, end, end);
        }

        return sink.ToEncoding();
    }

    private void EncodeText(TextBuffer raw, TextSection section, int set, TokenSink sink)
    {
        var text = raw;
        var (from, to) = (section.From, section.To);
        if (_parts.Normalizer is { } normalizer)
        {
            if (from > 0 || to < raw.Length)
            {
                text = new TextBuffer(to - from);
                text.AddRange(raw, from, to);
            }

            text = normalizer.Normalize(text);
            (from, to) = (0, text.Length);
        }

        if (_normalized[set].IsEmpty)
        {
            EncodePieces(new TextPiece(text, from, to), section.From == 0, sink);
            return;
        }

        foreach (var part in _normalized[set].Split(text.CodePoints[from..to]))
        {
            if (part.Id >= 0)
                sink.Add(part.Id, text.Start(from + part.From), text.End(from + part.To - 1));
            else
                EncodePieces(new TextPiece(text, from + part.From, from + part.To), section.From == 0 && part.From == 0, sink);
        }
    }

    private void EncodePieces(TextPiece piece, bool isTextStart, TokenSink sink)
    {
        if (piece.Length == 0)
            return;
        if (_parts.PreTokenizer is not { } preTokenizer)
        {
            _parts.Model.Tokenize(piece, sink);
            return;
        }

        foreach (var p in preTokenizer.Split([piece], isTextStart))
        {
            if (p.Length > 0)
                _parts.Model.Tokenize(p, sink);
        }
    }

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecialTokens = false)
    {
        var text = new StringBuilder();
        var chain = CreateDecoder(text, isTextStart: true);
        foreach (var id in ids)
        {
            if (!skipSpecialTokens || !IsSpecial(id))
                chain.Push(Piece(id));
        }

        chain.Flush();
        return text.ToString();
    }

    /// <summary>A decoder chain that writes to <paramref name="text"/>.</summary>
    internal DecoderStep CreateDecoder(StringBuilder text, bool isTextStart)
    {
        DecoderStep next = new TextSinkStep(text);
        for (var i = _parts.Decoders.Count - 1; i >= 0; i--)
        {
            var step = _parts.Decoders[i](isTextStart);
            step.Next = next;
            next = step;
        }

        return next;
    }

    public ReadOnlyMemory<byte> TokenBytes(int id)
    {
        var piece = Piece(id);
        foreach (var factory in _parts.Decoders)
        {
            var step = factory(false);
            if (step is ByteLevelDecoder)
                return ByteLevelDecoder.Bytes(piece);
            if (step is ByteFallbackDecoder && ByteFallbackDecoder.TryByte(piece, out var b))
                return new[] { b };
            piece = step.Middle(piece);
        }

        return Encoding.UTF8.GetBytes(piece);
    }

    public string Piece(int id)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(id);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(id, VocabSize);
        return _parts.Vocabulary.Piece(id) ?? "";
    }

    public bool IsSpecial(int id) => _special.Contains(id);

    public int? TokenToId(string piece) => _parts.Vocabulary.TryGetId(piece, out var id) ? id : null;
}
