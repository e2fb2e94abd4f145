using System.Text;

namespace Slm.Tools.Calls;

/// <summary>
/// Takes the calls out of a model's text while it comes. Text that may be the start of a tag is held back until it is
/// decided; white space beside calls is dropped.
/// </summary>
public sealed class ToolCallParser
{
    private readonly IReadOnlyList<ToolTag> _tags;
    private readonly ToolCallFormat _format;
    private readonly StringBuilder _pending = new();
    private List<AnswerPart> _parts = [];
    private CallReader? _reader;
    private ToolTag? _open, _ending;

    /// <summary>Reads an answer.</summary>
    /// <param name="tags">The tags that may stand in it; none: all of it is text.</param>
    /// <param name="format">Names the calls.</param>
    public ToolCallParser(IReadOnlyList<ToolTag> tags, ToolCallFormat format)
    {
        ArgumentNullException.ThrowIfNull(tags);
        ArgumentNullException.ThrowIfNull(format);
        _tags = tags;
        _format = format;
    }

    /// <summary>Calls that have begun.</summary>
    public int Calls { get; private set; }

    /// <summary>Takes more text.</summary>
    /// <returns>What it decides.</returns>
    public IReadOnlyList<AnswerPart> Append(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        _parts = [];
        _pending.Append(text);
        while (Step())
        {
        }
        return _parts;
    }

    /// <summary>Ends the answer: what was held back is text.</summary>
    public IReadOnlyList<AnswerPart> End()
    {
        _parts = [];
        if (_reader is null && _ending is null)
        {
            var rest = _pending.ToString();
            // The break behind a call is no text.
            if (Calls == 0 || !string.IsNullOrWhiteSpace(rest))
                AddText(rest);
        }
        _pending.Clear();
        return _parts;
    }

    /// <summary>A whole answer: its text outside of calls, and its calls.</summary>
    public static (string Text, IReadOnlyList<FunctionCall> Calls) Read(string answer, IReadOnlyList<ToolTag> tags, ToolCallFormat format)
    {
        var parser = new ToolCallParser(tags, format);
        var text = new StringBuilder();
        var calls = new List<(AnswerPart.CallBegin Begin, StringBuilder Arguments)>();
        foreach (var part in (IEnumerable<AnswerPart>)[.. parser.Append(answer), .. parser.End()])
        {
            switch (part)
            {
                case AnswerPart.Text more:
                    text.Append(more.Value);
                    break;
                case AnswerPart.CallBegin begin:
                    calls.Add((begin, new StringBuilder()));
                    break;
                case AnswerPart.ArgumentsMore more:
                    calls[more.Index].Arguments.Append(more.Json);
                    break;
            }
        }
        return (text.ToString(), [.. calls.Select(c => new FunctionCall(c.Begin.Id, c.Begin.Function, c.Arguments.ToString()))]);
    }

    private bool Step()
    {
        if (_pending.Length == 0)
            return false;
        if (_reader is not null)
            return ReadBody();
        if (_open is not null)
            return ReadDocument(_open.End);
        return _ending is not null ? ReadEnd() : ReadText();
    }

    private bool ReadText()
    {
        var text = _pending.ToString();
        var (at, tag) = FindBegin(text);
        if (tag is null)
        {
            var kept = HeldBack(text);
            AddText(text[..^kept]);
            _pending.Remove(0, text.Length - kept);
            return false;
        }
        AddText(text[..at].TrimEnd());
        _pending.Remove(0, at + tag.Begin.Length);
        _open = tag;
        if (tag.Body != CallBody.Document)
            _reader = new CallReader(tag, this);
        return true;
    }

    private bool ReadBody()
    {
        var taken = 0;
        var whole = false;
        while (taken < _pending.Length && !whole)
            whole = _reader!.Take(_pending[taken++]);
        _reader!.Flush();
        _pending.Remove(0, taken);
        if (!whole)
            return false;
        (_ending, _open, _reader) = (_open, null, null);
        return true;
    }

    /// <summary>A document goes until the end of its tag, which cannot stand in JSON.</summary>
    private bool ReadDocument(string end)
    {
        var text = _pending.ToString();
        var at = text.IndexOf(end, StringComparison.Ordinal);
        var kept = at >= 0 ? 0 : Overlap(text, end);
        var document = at >= 0 ? text[..at] : text[..^kept];
        if (document.Length > 0)
            _parts.Add(new AnswerPart.Text(document));
        _pending.Remove(0, at >= 0 ? at + end.Length : document.Length);
        if (at >= 0)
            _open = null;
        return at >= 0;
    }

    /// <summary>The end of a tag, with or without the white space before it.</summary>
    private bool ReadEnd()
    {
        var end = _ending!.End.TrimStart();
        var text = _pending.ToString();
        var trimmed = text.TrimStart();
        if (end.Length > trimmed.Length && end.StartsWith(trimmed, StringComparison.Ordinal))
            return false;
        if (trimmed.StartsWith(end, StringComparison.Ordinal))
            _pending.Remove(0, text.Length - trimmed.Length + end.Length);
        _ending = null;
        return true;
    }

    private (int At, ToolTag? Tag) FindBegin(string text)
    {
        (int At, ToolTag? Tag) first = (int.MaxValue, null);
        foreach (var tag in _tags)
        {
            var at = text.IndexOf(tag.Begin, StringComparison.Ordinal);
            if (at >= 0 && (at < first.At || (at == first.At && tag.Begin.Length > first.Tag!.Begin.Length)))
                first = (at, tag);
        }
        return first;
    }

    /// <summary>Length of the end of a text that may belong to a tag: the start of a begin, and white space before it.</summary>
    private int HeldBack(string text)
    {
        if (_tags.Count == 0)
            return 0;
        var kept = 0;
        foreach (var tag in _tags)
            kept = Math.Max(kept, Overlap(text, tag.Begin));
        while (kept < text.Length && char.IsWhiteSpace(text[text.Length - 1 - kept]))
            kept++;
        return kept;
    }

    /// <summary>Length of the longest end of a text that is a proper start of a mark.</summary>
    private static int Overlap(string text, string mark)
    {
        for (var length = Math.Min(mark.Length - 1, text.Length); length > 0; length--)
            if (text.AsSpan(text.Length - length).SequenceEqual(mark.AsSpan(0, length)))
                return length;
        return 0;
    }

    private void AddText(string text)
    {
        // Between calls there are only breaks.
        if (text.Length > 0 && !(Calls > 0 && string.IsNullOrWhiteSpace(text)))
            _parts.Add(new AnswerPart.Text(text));
    }

    internal int Begin(string function)
    {
        _parts.Add(new AnswerPart.CallBegin(Calls, _format.NewId(), function));
        return Calls++;
    }

    internal void Arguments(int call, string json) => _parts.Add(new AnswerPart.ArgumentsMore(call, json));

    internal string NameKey => _format.NameKey;

    internal string ArgumentsKey => _format.ArgumentsKey;
}
