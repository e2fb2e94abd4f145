using Slm.Engine.Constraints.Json;

namespace Slm.Engine.Constraints;

/// <summary>A language that the text of an answer must belong to, as its author writes it.</summary>
public abstract record ConstraintSource
{
    /// <summary>Ignore what cannot be enforced while a text is written, and report it, instead of refusing the whole.</summary>
    public bool Lenient { get; init; }

    /// <summary>A JSON value that a schema allows.</summary>
    /// <param name="Schema">A JSON Schema as JSON text.</param>
    /// <param name="Form">How the value is written.</param>
    public sealed record JsonSchema(string Schema, JsonForm Form) : ConstraintSource;

    /// <summary>A text that an ECMA-262 regular expression matches from beginning to end.</summary>
    /// <param name="Pattern">The expression, without slashes or flags.</param>
    public sealed record Regex(string Pattern) : ConstraintSource;

    /// <summary>One of some texts.</summary>
    /// <param name="Texts">At least one.</param>
    public sealed record Choice(IReadOnlyList<string> Texts) : ConstraintSource;

    /// <summary>A text of a context-free grammar in GBNF, by its rule "root".</summary>
    /// <param name="Rules">The grammar.</param>
    public sealed record Grammar(string Rules) : ConstraintSource;

    /// <summary>Free text in which each occurrence of a tag's beginning is followed by a JSON value and the tag's end.</summary>
    /// <param name="Tags">At least one.</param>
    /// <param name="Form">How the values are written.</param>
    public sealed record TaggedText(IReadOnlyList<TextTag> Tags, JsonForm Form) : ConstraintSource
    {
        /// <summary>
        /// Once one of these has been written in free text, a tag that begins with it must follow. Each tag begins with one. Empty: the
        /// beginnings of the tags themselves.
        /// </summary>
        public IReadOnlyList<string> Triggers { get; init; } = [];

        /// <summary>The text is nothing but tags, at least one.</summary>
        public bool Required { get; init; }

        /// <summary>Most tags; 0 without a limit.</summary>
        public int MaxTags { get; init; }

        /// <summary>What stands between two tags where they are required.</summary>
        public string Separator { get; init; } = "";
    }
}

/// <summary>A part of a text with a beginning and an end of its own.</summary>
/// <param name="Begin">What it begins with; not empty.</param>
/// <param name="Schema">JSON Schema of the value in it.</param>
/// <param name="End">What it ends with; may be empty.</param>
public sealed record TextTag(string Begin, string Schema, string End);

/// <summary>What is done about a keyword of a schema.</summary>
public enum Enforcement
{
    /// <summary>It is enforced while the text is written.</summary>
    Enforced,

    /// <summary>It says nothing about which texts are valid.</summary>
    Annotation,

    /// <summary>It is not enforced, as was asked for.</summary>
    Ignored,

    /// <summary>It cannot be enforced, so that the whole is refused.</summary>
    Refused,
}

/// <summary>What is done about a keyword.</summary>
/// <param name="Place">JSON Pointer of the keyword.</param>
/// <param name="Keyword">The keyword.</param>
/// <param name="Enforcement">What is done.</param>
/// <param name="Reason">Why, where it is not enforced.</param>
public sealed record KeywordReport(string Place, string Keyword, Enforcement Enforcement, string Reason);
