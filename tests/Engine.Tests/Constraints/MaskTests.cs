using System.Text;
using System.Text.Json;
using Slm.Engine.Constraints;
using Slm.Engine.Constraints.Json;
using Slm.Engine.Constraints.Tokens;
using Xunit;

namespace Slm.Engine.Tests.Constraints;

/// <summary>
/// Masks against what they stand for: a token's bit is set exactly if its bytes are accepted, at every place of many texts; and since every
/// accepted beginning must be the beginning of a valid text, random walks through masks must end in valid documents.
/// </summary>
public sealed class MaskTests
{
    private static readonly string[] Pieces =
    [
        "{\"", "\":", "\": ", "\",", "\", \"", "\"}", "\"]", "{}", "[]", "[{", "}]", "},", "\"name\"", "\"na", "me\":", "name", "true", "false", "null", " \"", ": ", ", ", "  ", "\n", "\n  ", "\t", "    ",
        "ab", "abc", "a\"", "\\n", "\\\"", "\\u00", "e9", "é", "日本", "10", "100", "0.", ".5", "-1", "1e", "1,", "2]", "x-", "\"x-", "foo", "\"foo\":", "bar\"", "<tool>", "</", "tool>", "\",\"", "\"a\":", ",\"a\"", "[1", ",1", ",2,",
    ];

    private static readonly TokenVocabulary Vocabulary = MakeVocabulary();

    private static readonly string[] Schemas =
    [
        "{}",
        """{"type":"object","properties":{"name":{"type":"string","minLength":1,"maxLength":6},"age":{"type":"integer","minimum":0,"maximum":130}},"required":["name"],"additionalProperties":false}""",
        """{"type":"object","properties":{"name":{"type":"string"},"foo":{"type":"number","multipleOf":0.5,"maximum":20}},"additionalProperties":{"type":"integer"}}""",
        """{"type":"object","patternProperties":{"^x-":{"type":"boolean"}},"additionalProperties":false,"minProperties":1,"maxProperties":3}""",
        """{"type":"array","items":{"enum":["a","ab","abc",1,2,null]},"uniqueItems":true,"minItems":2}""",
        """{"type":"array","contains":{"const":1},"maxContains":2,"items":{"type":"integer","minimum":0,"maximum":2},"maxItems":4}""",
        """{"oneOf":[{"type":"object","properties":{"a":{"type":"integer"}},"required":["a"]},{"type":"object","properties":{"foo":{"type":"string"}},"required":["foo"]}]}""",
        """{"$ref":"#/$defs/tree","$defs":{"tree":{"type":"object","properties":{"name":{"const":"foo"},"a":{"type":"array","items":{"$ref":"#/$defs/tree"},"maxItems":2}},"required":["name"],"additionalProperties":false}}}""",
        """{"type":"string","pattern":"^[a-f0-9]{2,6}$","not":{"const":"abc"}}""",
        """{"type":"string","format":"ipv4"}""",
        """{"if":{"properties":{"a":{"const":1}},"required":["a"]},"then":{"required":["foo"]},"else":{"maxProperties":1},"type":"object","properties":{"foo":{"type":"boolean"}}}""",
        """{"type":"number","exclusiveMinimum":0.15,"maximum":10.25}""",
    ];

    public static TheoryData<int, JsonWhitespace> Cases()
    {
        var cases = new TheoryData<int, JsonWhitespace>();
        for (var i = 0; i < Schemas.Length; i++)
        {
            foreach (var whitespace in Enum.GetValues<JsonWhitespace>())
                cases.Add(i, whitespace);
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void MasksAreWhatBytesSayAndWalksEndInValidDocuments(int schema, JsonWhitespace whitespace)
    {
        var form = new JsonForm { Whitespace = whitespace, MaxWhitespace = 5, PlainStrings = whitespace == JsonWhitespace.Spaced };
        var source = new ConstraintSource.JsonSchema(Schemas[schema], form);
        var constraint = new TokenConstraint(CompiledConstraint.Compile(source), Vocabulary);

        // Judges whole documents byte by byte, through an automaton of its own.
        var judge = new TokenConstraint(CompiledConstraint.Compile(source), Bytes.Vocabulary);
        var random = new Random(schema);
        var mask = new ulong[Vocabulary.MaskLength];
        var finished = 0;
        for (var walk = 0; walk < 60; walk++)
        {
            var state = constraint.Start();
            var text = new List<byte>();
            for (var step = 0; step < 120 && !state.IsComplete; step++)
            {
                state.FillMask(mask);
                var allowed = new List<int>();
                for (var token = 0; token < Vocabulary.Size; token++)
                {
                    var bit = (mask[token >> 6] >> (token & 63) & 1) != 0;
                    if (walk < 12)
                    {
                        var accepted = token == Vocabulary.Size - 1 ? state.CanEnd : state.Fork().Accept(token);
                        Assert.True(bit == accepted, $"Behind {Encoding.UTF8.GetString([.. text])}: token \"{Encoding.UTF8.GetString(Vocabulary.Text(token))}\" is {(bit ? "set" : "not set")}.");
                    }

                    if (bit)
                        allowed.Add(token);
                }

                Assert.NotEmpty(allowed);

                // Towards the end of a walk it prefers what closes, so that most come to one.
                var closing = allowed.Where(t => t == Vocabulary.Size - 1 || (Vocabulary.Text(t).Length == 1 && "}]\"0".Contains((char)Vocabulary.Text(t)[0]))).ToList();
                var from = step > 30 && closing.Count > 0 && random.Next(4) > 0 ? closing : allowed;
                var chosen = from[random.Next(from.Count)];
                Assert.True(state.Accept(chosen));
                if (chosen != Vocabulary.Size - 1)
                    text.AddRange(Vocabulary.Text(chosen));
                if (state.HasEnded)
                    break;
            }

            if (!state.CanEnd)
                continue;
            finished++;
            using var document = JsonDocument.Parse(text.ToArray());
            Assert.True(Bytes.Accepts(judge, Encoding.UTF8.GetString([.. text])));
        }

        Assert.True(finished >= 3, $"Only {finished} walks came to an end.");
    }

    [Fact]
    public void MaskOfSmallLanguageIsExactlyWhatCanBeContinued()
    {
        // All texts of up to five letters over a and b, by brute force.
        const string pattern = "(a|ba)*b{1,2}|aab?a";
        var constraint = new TokenConstraint(
            CompiledConstraint.Compile(new ConstraintSource.Regex(pattern)),
            new TokenVocabulary(7, id => id < 6 ? Encoding.UTF8.GetBytes(((string[])["a", "b", "aa", "ab", "ba", "bb"])[id]) : ReadOnlyMemory<byte>.Empty, [6]));
        var whole = new System.Text.RegularExpressions.Regex($"^(?:{pattern})$");
        var texts = Enumerable.Range(0, 12).SelectMany(Texts).ToList();
        var language = texts.Where(t => whole.IsMatch(t)).ToList();
        var mask = new ulong[1];
        foreach (var prefix in texts.Where(t => t.Length <= 5))
        {
            var state = constraint.Start();
            var alive = state.Accept(Encoding.UTF8.GetBytes(prefix));
            Assert.Equal(language.Exists(t => t.StartsWith(prefix, StringComparison.Ordinal)), alive);
            if (!alive)
                continue;
            state.FillMask(mask);
            string[] tokens = ["a", "b", "aa", "ab", "ba", "bb"];
            for (var i = 0; i < tokens.Length; i++)
                Assert.Equal(language.Exists(t => t.StartsWith(prefix + tokens[i], StringComparison.Ordinal)), (mask[0] >> i & 1) != 0);
            Assert.Equal(language.Contains(prefix), (mask[0] >> 6 & 1) != 0);
        }

        static IEnumerable<string> Texts(int length) =>
            length > 8 ? [] : Enumerable.Range(0, 1 << length).Select(bits => string.Concat(Enumerable.Range(0, length).Select(i => (bits >> i & 1) == 0 ? 'a' : 'b')));
    }

    private static TokenVocabulary MakeVocabulary()
    {
        var texts = Enumerable.Range(0, 256).Select(b => new[] { (byte)b }).Concat(Pieces.Select(Encoding.UTF8.GetBytes)).ToArray();
        return new TokenVocabulary(texts.Length + 1, id => id < texts.Length ? texts[id] : ReadOnlyMemory<byte>.Empty, [texts.Length]);
    }
}
