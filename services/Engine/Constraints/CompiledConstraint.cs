using System.Text;
using System.Text.Json;
using Slm.Engine.Constraints.Automata;
using Slm.Engine.Constraints.Grammars;
using Slm.Engine.Constraints.Json;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints;

/// <summary>A constraint whose rules have all been looked at: texts can be held to it. For use with one vocabulary.</summary>
public sealed class CompiledConstraint
{
    /// <summary>Longest schema, grammar or expression, in UTF-16 units.</summary>
    public const int MaxSourceLength = 4 << 20;

    private const int MaxIgnored = 200;

    private CompiledConstraint(Automaton automaton, IReadOnlyList<KeywordReport> keywords)
    {
        Automaton = automaton;
        Keywords = keywords;
    }

    /// <summary>What is done about the keywords of its schemas.</summary>
    public IReadOnlyList<KeywordReport> Keywords { get; }

    internal Automaton Automaton { get; }

    /// <summary>Compiles a constraint.</summary>
    /// <exception cref="ConstraintException">It is malformed, or cannot be enforced.</exception>
    public static CompiledConstraint Compile(ConstraintSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        var ignored = new Dictionary<string, KeywordReport>(StringComparer.Ordinal);
        while (true)
        {
            try
            {
                return Compile(source, ignored);
            }
            catch (ConstraintException error) when (source.Lenient && error.Place.Contains('/', StringComparison.Ordinal) && error.Keyword.Length > 0 && ignored.Count < MaxIgnored && !ignored.ContainsKey(error.Place))
            {
                ignored[error.Place] = new KeywordReport(error.Place, error.Keyword, Enforcement.Ignored, error.Reason);
            }
            catch (InsufficientExecutionStackException)
            {
                throw new ConstraintTooLargeException("", "", "The constraint is nested too deeply, or has a name or pattern that is too long.");
            }
        }
    }

    /// <summary>Says what would be done about the keywords of a constraint's schemas, refused ones included.</summary>
    /// <exception cref="ConstraintException">It is malformed as a whole, or no text can satisfy it.</exception>
    public static (bool Accepted, IReadOnlyList<KeywordReport> Keywords) Check(ConstraintSource source)
    {
        ArgumentNullException.ThrowIfNull(source);
        var compiled = Compile(source with { Lenient = true });
        var accepted = source.Lenient || compiled.Keywords.All(k => k.Enforcement != Enforcement.Ignored);
        return (accepted, accepted ? compiled.Keywords
            : [.. compiled.Keywords.Select(k => k.Enforcement == Enforcement.Ignored ? k with { Enforcement = Enforcement.Refused } : k)]);
    }

    private static CompiledConstraint Compile(ConstraintSource source, Dictionary<string, KeywordReport> ignored)
    {
        var automaton = new Automaton();
        var pool = new TermPool();
        var keywords = new List<KeywordReport>(ignored.Values);
        switch (source)
        {
            case ConstraintSource.JsonSchema schema:
                var writer = Schema(automaton, pool, schema.Schema, schema.Form, "", ignored.Keys, keywords, out var root);
                automaton.Begin(writer.Root(root, null));
                break;
            case ConstraintSource.Regex regex:
                RequireLength(regex.Pattern, "regex");
                Begin(automaton, pool, RegexLanguage.Whole(pool, regex.Pattern), "The regular expression matches no text.");
                break;
            case ConstraintSource.Choice choice:
                if (choice.Texts.Count == 0)
                    throw new ConstraintException("", "choice", "There is nothing to choose from.");
                Begin(automaton, pool, pool.Words(choice.Texts), "There is nothing to choose from.");
                break;
            case ConstraintSource.Grammar grammar:
                RequireLength(grammar.Rules, "grammar");
                GrammarCompiler.Compile(automaton, pool, grammar.Rules);
                break;
            case ConstraintSource.TaggedText tagged:
                var parts = new List<(byte[], ValueNode, JsonWriter, byte[])>();
                for (var i = 0; i < tagged.Tags.Count; i++)
                {
                    var tag = tagged.Tags[i];
                    if (tag.Begin.Length == 0)
                        throw new ConstraintException($"/{i}", "begin", "The beginning of a tag is empty.");
                    var json = Schema(automaton, pool, tag.Schema, tagged.Form, $"/{i}", ignored.Keys, keywords, out var value);
                    parts.Add((Encoding.UTF8.GetBytes(tag.Begin), value, json, Encoding.UTF8.GetBytes(tag.End)));
                }

                TaggedTextFrames.Begin(automaton, parts, tagged);
                break;
            default:
                throw new InvalidOperationException("A kind of constraint is not handled.");
        }

        return new CompiledConstraint(automaton, keywords);
    }

    private static void Begin(Automaton automaton, TermPool pool, Term term, string empty)
    {
        var dfa = new ByteDfa(pool, term, TextEncoding.Utf8);
        if (dfa.Start == ByteDfa.Dead)
            throw new UnsatisfiableConstraintException("", empty);
        automaton.Begin(new LanguageFrame(dfa, dfa.Start, null));
    }

    private static JsonWriter Schema(
        Automaton automaton, TermPool pool, string text, JsonForm form, string place, IEnumerable<string> ignored, List<KeywordReport> keywords, out ValueNode root)
    {
        RequireLength(text, "json_schema");
        if (form.MaxWhitespace is < 0 or > 10_000)
            throw new ConstraintException("", "max_whitespace", $"max_whitespace is {form.MaxWhitespace}; it must be in 0 to 10000.");
        JsonElement element;
        try
        {
            using var document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 256 });
            element = document.RootElement.Clone();
        }
        catch (JsonException error)
        {
            throw new ConstraintException(place, "", $"The schema is no JSON: {error.Message}");
        }

        try
        {
            var skip = ignored.Where(i => i.StartsWith(place, StringComparison.Ordinal)).Select(i => i[place.Length..]);
            var schemas = new SchemaDocument(element, skip);
            var compiler = new SchemaCompiler(pool, form)
            {
                Annotated = (schema, keyword, reason) => keywords.Add(new KeywordReport(
                    $"{place}{schema.Pointer}/{SchemaDocument.Escape(keyword)}", keyword, reason is null ? Enforcement.Enforced : Enforcement.Annotation, reason ?? "")),
            };
            var writer = new JsonWriter(compiler, form);
            root = compiler.Nodes.Of(schemas.Root);
            if (compiler.Lives.IsEmpty(root))
                throw new UnsatisfiableConstraintException(place, "No value satisfies the schema.");
            writer.Explore(root);
            automaton.NeedsTrail |= writer.HasOtherKeys || writer.HasUnique;
            automaton.HasUnique |= writer.HasUnique;
            return writer;
        }
        catch (ConstraintTooLargeException error)
        {
            throw new ConstraintTooLargeException(place + error.Place, error.Keyword, error.Reason);
        }
        catch (ConstraintException error) when (error is not UnsatisfiableConstraintException && place.Length > 0)
        {
            throw new ConstraintException(place + error.Place, error.Keyword, error.Reason);
        }
    }

    private static void RequireLength(string text, string field)
    {
        if (text.Length > MaxSourceLength)
            throw new ConstraintTooLargeException("", field, $"{field} has {text.Length} characters; at most {MaxSourceLength} are accepted.");
    }
}
