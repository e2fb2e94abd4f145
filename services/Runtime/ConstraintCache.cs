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
    private readonly Lazy<TokenVocabulary> _vocabulary = new(() => new TokenVocabulary(
        vocabSize,
        id => id < tokenizer.VocabSize && !tokenizer.IsSpecial(id) ? tokenizer.TokenBytes(id) : default,
        tokenizer.Special.EndTokens));

    /// <summary>The compiled constraint.</summary>
    /// <exception cref="ConstraintException">It is malformed, or cannot be enforced.</exception>
    public TokenConstraint Get(ConstraintSource source)
    {
        var key = KeyOf(source);
        Lazy<TokenConstraint> constraint;
        lock (_gate)
        {
            if (_byKey.TryGetValue(key, out var node))
            {
                _newest.Remove(node);
            }
            else
            {
                node = new((key, new Lazy<TokenConstraint>(() => new TokenConstraint(CompiledConstraint.Compile(source), _vocabulary.Value))));
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
