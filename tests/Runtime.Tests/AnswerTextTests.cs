using System.Text;
using CsCheck;
using Slm.Engine.Scheduling;

namespace Slm.Runtime.Tests;

public sealed class AnswerTextTests
{
    private static readonly TableTokenizer Tokenizer = new(["ab", "abc", " st", "op", "é", "STOP", "well"], ["<end>"]);

    private static readonly int[] Ids = ['a', 'b', 'c', 'd', ' ', 0xC3, 0xA9, 0xF0, 0x9F, 256, 257, 258, 259, 260, 261, 262];

    [Fact]
    public void Whatever_the_tokens_and_stops_the_text_ends_before_the_first_stop_and_only_visible_tokens_leave() =>
        Gen.Select(
            Gen.Int[0, Ids.Length - 1].Select(i => Ids[i]).Array[0, 25],
            Gen.Int[0, 8].Select(i => "abc stopé"[i]).Array[1, 3].Select(c => new string(c)).Array[0, 3],
            Gen.Bool)
        .Sample((ids, stops, include) =>
        {
            var answer = new AnswerText(Tokenizer, stops, skipSpecialTokens: true, include);
            var text = new StringBuilder();
            var tokens = new List<int>();
            string? match = null;
            var consumed = 0;
            foreach (var id in ids)
            {
                consumed++;
                Take(answer.Append(new TokenResult(id, null, []), silent: false));
                if (match is not null)
                    break;
                Assert.DoesNotContain(stops, s => text.ToString().Contains(s, StringComparison.Ordinal));
            }

            if (match is null)
                Take(answer.End());

            var whole = Tokenizer.Decode(ids.AsSpan(0, consumed));
            var starts = stops.Select(s => whole.IndexOf(s, StringComparison.Ordinal)).Where(i => i >= 0).ToArray();
            if (starts.Length == 0)
            {
                Assert.Null(match);
                Assert.Equal(whole, text.ToString());
                Assert.Equal(ids, tokens);
                return;
            }

            Assert.NotNull(match);
            Assert.Equal(ids.Take(tokens.Count), tokens);
            var shown = text.ToString();
            Assert.StartsWith(shown, whole, StringComparison.Ordinal);
            var cut = include ? shown.Length - match.Length : shown.Length;
            Assert.Equal(match, whole.Substring(cut, match.Length));
            Assert.DoesNotContain(stops, s => shown[..cut].Contains(s, StringComparison.Ordinal));

            // The last token that left shows at least one character, or none was to be seen.
            if (tokens.Count > 0)
                Assert.True(Encoding.UTF8.GetByteCount(shown) > ids.Take(tokens.Count - 1).Sum(i => Tokenizer.TokenBytes(i).Length) - 3);

            void Take(AnswerPart part)
            {
                text.Append(part.Text);
                tokens.AddRange(part.Tokens.Select(t => t.TokenId));
                match = part.StopMatch;
            }
        }, iter: 3000);

    [Fact]
    public void Text_leaves_as_soon_as_it_is_certain()
    {
        var answer = new AnswerText(Tokenizer, ["STOP"], true, false);
        Assert.Equal(["a", "", "é", "", "Sx", ""], Append('a', 0xC3, 0xA9, 'S', 'x', 'S').Select(p => p.Text));
        Assert.Equal("S", answer.End().Text);

        IEnumerable<AnswerPart> Append(params int[] ids) => ids.Select(id => answer.Append(new TokenResult(id, null, []), false)).ToArray();
    }

    [Fact]
    public void Tokens_leave_with_their_first_character()
    {
        var answer = new AnswerText(Tokenizer, ["STOP"], true, false);
        int[][] left = [.. new[] { 'a', 'S', 'T', 0xC3, 0xA9, Tokenizer.Control("<end>"), 'b' }
            .Select(id => answer.Append(new TokenResult(id, null, []), false).Tokens.Select(t => t.TokenId).ToArray())];
        Assert.Equal([['a'], [], [], [], ['S', 'T', 0xC3, 0xA9], [Tokenizer.Control("<end>")], ['b']], left);
    }
}
