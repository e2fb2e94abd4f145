namespace Slm.Training.Stories;

/// <summary>Splits texts into lower-case words (letters, inner apostrophes and hyphens) and numbers the types.</summary>
public sealed class WordIndex
{
    private readonly Dictionary<string, int> _ids = [];
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _lookup;
    private readonly List<string> _words = [];

    public WordIndex() => _lookup = _ids.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>Number of distinct words seen.</summary>
    public int Count => _words.Count;

    /// <summary>The word of an id.</summary>
    public string this[int id] => _words[id];

    /// <summary>The words of the text as ids; unknown words get a new id, or -1 when <paramref name="add"/> is false.</summary>
    public int[] Encode(string text, bool add = true)
    {
        var ids = new List<int>(text.Length / 5);
        Span<char> buffer = stackalloc char[64];
        for (int i = 0; i < text.Length;)
        {
            if (!char.IsLetterOrDigit(text[i]))
            {
                i++;
                continue;
            }

            int length = 0;
            for (; i < text.Length && IsInside(text, i); i++)
            {
                if (length < buffer.Length)
                    buffer[length++] = char.ToLowerInvariant(text[i]);
            }

            var word = buffer[..length];
            if (!_lookup.TryGetValue(word, out int id))
            {
                id = -1;
                if (add)
                {
                    id = _words.Count;
                    _words.Add(word.ToString());
                    _ids.Add(_words[id], id);
                }
            }

            ids.Add(id);
        }

        return [.. ids];
    }

    private static bool IsInside(string text, int i) =>
        char.IsLetterOrDigit(text[i]) || (text[i] is '\'' or '-' && i + 1 < text.Length && char.IsLetterOrDigit(text[i + 1]));
}
