using Slm.Tokenization.Text;
using Slm.Tokenization.Unicode;

namespace Slm.Tokenization.Normalizers;

/// <summary>The normalization forms of UAX #15.</summary>
internal sealed class UnicodeNormalizer(bool compatibility, bool compose) : ITextNormalizer
{
    public TextBuffer Normalize(TextBuffer text)
    {
        // Below U+0300 (below U+00A0 for compatibility forms and decomposition) every form is the text itself.
        if (text.CodePoints.IndexOfAnyExceptInRange(0, compose && !compatibility ? 0x2FF : 0x9F) < 0)
            return text;
        var data = Decompositions.Instance.Value;
        var items = new List<(int CodePoint, int Start, int End, int Class)>(text.Length);
        Span<int> hangul = stackalloc int[3];
        var sortFrom = 0;
        for (var i = 0; i < text.Length; i++)
        {
            var parts = data.Decompose(text[i], compatibility, hangul);
            if (parts.IsEmpty)
                Add(items, (text[i], text.Start(i), text.End(i), data.CombiningClass(text[i])), ref sortFrom);
            foreach (var p in parts)
                Add(items, (p, text.Start(i), text.End(i), data.CombiningClass(p)), ref sortFrom);
        }

        Sort(items, sortFrom);
        if (compose)
            Compose(items, data);
        var output = new TextBuffer(items.Count);
        foreach (var (c, start, end, _) in items)
            output.Add(c, start, end);
        return output;
    }

    private static void Add(List<(int, int, int, int Class)> items, (int, int, int, int Class) item, ref int sortFrom)
    {
        if (item.Class == 0)
        {
            Sort(items, sortFrom);
            sortFrom = items.Count + 1;
        }

        items.Add(item);
    }

    // Canonical ordering: the marks since the last starter, stably by class.
    private static void Sort(List<(int, int, int, int Class)> items, int from)
    {
        if (items.Count - from < 2)
            return;
        var marks = items[from..].OrderBy(static m => m.Class).ToList();
        for (var i = 0; i < marks.Count; i++)
            items[from + i] = marks[i];
    }

    private static void Compose(List<(int CodePoint, int Start, int End, int Class)> items, Decompositions data)
    {
        var (starter, last, n) = (-1, -1, 0);
        for (var i = 0; i < items.Count; i++)
        {
            var item = items[i];
            // Blocked when something of the same or a higher class stands between the starter and this one.
            if (starter >= 0 && (last < item.Class || (last == 0 && starter == n - 1) || starter == n - 1))
            {
                var composed = data.Compose(items[starter].CodePoint, item.CodePoint);
                if (composed >= 0)
                {
                    var s = items[starter];
                    items[starter] = (composed, Math.Min(s.Start, item.Start), Math.Max(s.End, item.End), 0);
                    continue;
                }
            }

            if (item.Class == 0)
                (starter, last) = (n, -1);
            else
                last = item.Class;
            items[n++] = item;
        }

        items.RemoveRange(n, items.Count - n);
    }
}
