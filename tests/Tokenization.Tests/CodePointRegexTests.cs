using System.Text.RegularExpressions;
using CsCheck;
using Slm.Tokenization.Patterns;
using Slm.Tokenization.Text;

namespace Slm.Tokenization.Tests;

public sealed class CodePointRegexTests
{
    private static string[] Matches(string pattern, string text)
    {
        var points = CodePointStrings.ToCodePoints(text);
        return [.. new CodePointRegex(pattern).Matches(points).Select(m => string.Concat(points[m.Start..m.End].Select(char.ConvertFromUtf32)))];
    }

    [Theory]
    [InlineData(@"\p{L}+", "ab𐐀𝒜1", "ab𐐀𝒜")]
    [InlineData(@"[^\p{L}]", "a😀b", "😀")]
    [InlineData(@"\p{Nd}{2}", "𝟘𝟙𝟚", "𝟘𝟙")]
    [InlineData(@"\p{Han}+", "ab漢字𠀀かな", "漢字𠀀")]
    [InlineData(@"a++b|a+", "aaab", "aaab")]
    [InlineData(@"a*?b", "aab", "aab")]
    [InlineData(@"x(?=y)", "xzxy", "x")]
    [InlineData(@"(?<=a)b", "bab", "b")]
    [InlineData(@"(?<!a)b", "abcb", "b")]
    [InlineData(@"(?i:'LL)", "it'll", "'ll")]
    [InlineData(@"(?i)Straße", "STRAßE", "STRAßE")]
    [InlineData(@"[\p{L}&&[^a-c]]+", "abcdef", "def")]
    [InlineData(@"[a-z&&[^aeiou]]+", "aebcdi", "bcd")]
    [InlineData(@"[[:alpha:]]+", "1ab2", "ab")]
    [InlineData(@"\x{1F600}", "a😀", "😀")]
    [InlineData(@"(?:ab){2,3}", "ababab", "ababab")]
    [InlineData(@"(a|ab)(c|bcd)(d*)", "abcd", "abcd")]
    [InlineData(@"\bfoo\b", "foot foo", "foo")]
    [InlineData(@"[\]\-]", "-", "-")]
    [InlineData(@"(?>a+)ab|a", "aab", "a")]
    public void First_match(string pattern, string text, string expected) => Assert.Equal(expected, Matches(pattern, text)[0]);

    [Theory]
    [InlineData("(a")]
    [InlineData("a)")]
    [InlineData("[a")]
    [InlineData("*a")]
    [InlineData(@"\p{Nonsense}")]
    [InlineData(@"a{3,1}")]
    [InlineData("[z-a]")]
    [InlineData(@"(?<=a+)b")]
    [InlineData(@"\")]
    [InlineData(@"\q")]
    public void Malformed_patterns_are_refused_with_the_pattern_named(string pattern) =>
        Assert.Contains(pattern, Assert.Throws<TokenizerFormatException>(() => new CodePointRegex(pattern)).Message, StringComparison.Ordinal);

    // Where no astral character is involved, .NET's engine is an independent reference.
    [Fact]
    public void Agrees_with_dotnet_on_the_patterns_of_real_tokenizers()
    {
        string[] patterns =
        [
            @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
            @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
            @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s+",
            @"\d{1,3}(?=(?:\d{3})*\b)",
            @"(a|b)*c|[^\s]{2,4}?x",
        ];
        string[] letters = ["a", "b", "c", "x", "A", "É", "é", "ß", "1", "23", " ", "  ", "\n", "\r\n", "\t", "'", "'s", "'LL", ".", "!", "/", "你", "ท", "\u0301", "\u00a0", "\u3000", "_", "ǅ", "٣"];
        var alphabet = Gen.Int[0, letters.Length - 1].Select(i => letters[i]);
        foreach (var pattern in patterns)
        {
            var dotnet = new Regex(pattern);
            var ours = new CodePointRegex(pattern);
            alphabet.List[0, 30].Select(string.Concat).Sample(
                text => Assert.Equal(dotnet.Matches(text).Where(m => m.Length > 0).Select(m => (m.Index, m.Index + m.Length)), ours.Matches(CodePointStrings.ToCodePoints(text))),
                iter: 1000);
        }
    }

    [Fact]
    public void Unbounded_backtracking_ends_in_an_exception() =>
        Assert.Throws<TokenizerFormatException>(() => Matches("(a*)*b", new string('a', 5000)));

    [Fact]
    public void A_group_repeated_a_million_times_does_not_overflow_the_stack() =>
        Assert.Throws<TokenizerFormatException>(() => Matches("(?:ab|cd)*x", string.Concat(Enumerable.Repeat("abcd", 250_000))));
}
