using System.Globalization;
using System.Text;
using Slm.Engine.Constraints;
using Slm.Engine.Constraints.Json;
using Slm.Engine.Constraints.Tokens;
using Slm.Tokenization;

namespace Slm.Runtime;

/// <summary>A model's compiled constraints: those that were used last, since requests tend to bring the same again. Thread-safe.</summary>
internal sealed class ConstraintCache(ITokenizer tokenizer, int vocabSize)
{
    /// <summary>Each holds up to some 16 MiB of what it has found out.</summary>
    private const int MaxKept = 32;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, LinkedListNode<(string Key, Lazy<TokenConstraint> Constraint)>> _byKey = new(StringComparer.Ordinal);
    private readonly LinkedList<(string Key, Lazy<TokenConstraint> Constraint)> _newest = [];

    // The first constrained request prepares the vocabulary: about a microsecond a token.
    private readonly Lazy<TokenVocabulary> _vocabulary = new(() => Vocabulary(tokenizer, vocabSize, withSpecial: false));
    private readonly Lazy<TokenVocabulary> _withSpecial = new(() => Vocabulary(tokenizer, vocabSize, withSpecial: true));

    /// <summary>The compiled constraint.</summary>
    /// <param name="source">What the text must be.</param>
    /// <param name="withSpecial">Special tokens are part of the text, as they print: some models mark calls of functions with them.</param>
    /// <exception cref="ConstraintException">It is malformed, or cannot be enforced.</exception>
    public TokenConstraint Get(ConstraintSource source, bool withSpecial)
    {
        var key = (withSpecial ? "s" : "") + KeyOf(source);
        Lazy<TokenConstraint> constraint;
        lock (_gate)
        {
            if (_byKey.TryGetValue(key, out var node))
            {
                _newest.Remove(node);
            }
            else
            {
                node = new((key, new Lazy<TokenConstraint>(() => new TokenConstraint(CompiledConstraint.Compile(source), (withSpecial ? _withSpecial : _vocabulary).Value))));
                _byKey[key] = node;
            }

            _newest.AddFirst(node);
            if (_newest.Count > MaxKept)
            {
                _byKey.Remove(_newest.Last!.Value.Key);
                _newest.RemoveLast();
            }

            constraint = node.Value.Constraint;
        }

        return constraint.Value;
    }

    private static TokenVocabulary Vocabulary(ITokenizer tokenizer, int vocabSize, bool withSpecial) => new(
        vocabSize,
        id => id >= tokenizer.VocabSize ? default
            : !tokenizer.IsSpecial(id) ? tokenizer.TokenBytes(id)
            : withSpecial ? Encoding.UTF8.GetBytes(tokenizer.Piece(id)) : default(ReadOnlyMemory<byte>),
        tokenizer.Special.EndTokens);

    private static string KeyOf(ConstraintSource source)
    {
        var key = new StringBuilder();
        Add(source.GetType().Name, source.Lenient);
        switch (source)
        {
            case ConstraintSource.JsonSchema schema:
                Add(schema.Schema);
                AddForm(schema.Form);
                break;
            case ConstraintSource.Regex regex:
                Add(regex.Pattern);
                break;
            case ConstraintSource.Grammar grammar:
                Add(grammar.Rules);
                break;
            case ConstraintSource.Choice choice:
                Add([.. choice.Texts]);
                break;
            case ConstraintSource.TaggedText tagged:
                Add(tagged.Required, tagged.MaxTags, tagged.Separator);
                AddForm(tagged.Form);
                Add([.. tagged.Triggers, "|", .. tagged.Tags.SelectMany(t => (string[])[t.Begin, t.Schema, t.End])]);
                break;
            default:
                throw new InvalidOperationException("A kind of constraint is not handled.");
        }

        return key.ToString();

        // With its length before each, no two lists are the same text.
        void Add(params ReadOnlySpan<object> values)
        {
            foreach (var value in values)
            {
                var text = Convert.ToString(value, CultureInfo.InvariantCulture)!;
                key.Append(text.Length).Append(':').Append(text);
            }
        }

        void AddForm(JsonForm form) => Add(form.Whitespace, form.MaxWhitespace, form.SchemaOrder, form.PlainIntegers, form.IgnoreFormat, form.PlainStrings);
    }
}
