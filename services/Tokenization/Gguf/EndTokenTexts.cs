using System.Collections.Frozen;
using Slm.Tokenization.Models;

namespace Slm.Tokenization.Gguf;

/// <summary>Texts of tokens that end a turn or a message, for files that name only one of several.</summary>
internal static class EndTokenTexts
{
    private static readonly string[] Texts =
    [
        "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>", "<end_of_turn>", "<|endoftext|>",
        "<|end_of_text|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<end_of_utterance>", "<turn|>", "<｜end▁of▁sentence｜>",
    ];

    /// <summary>The ids that end a generation: those named, and the control tokens with a known text.</summary>
    public static FrozenSet<int> Find(Vocabulary vocabulary, IEnumerable<int?> named, Func<int, bool> isControl)
    {
        var ids = named.OfType<int>().ToHashSet();
        foreach (var text in Texts)
        {
            if (vocabulary.TryGetId(text, out var id) && isControl(id))
                ids.Add(id);
        }

        // Harmony vocabularies: <|end|> ends a message, not the turn.
        if (vocabulary.TryGetId("<|return|>", out _) && vocabulary.TryGetId("<|call|>", out _) && vocabulary.TryGetId("<|end|>", out var end))
            ids.Remove(end);
        return ids.ToFrozenSet();
    }
}
