namespace Slm.Tokenization.Templates;

/// <summary>Why a template failed.</summary>
public enum TemplateErrorKind
{
    /// <summary>The template's text is not valid Jinja.</summary>
    Syntax,

    /// <summary>An expression could not be evaluated (an undefined value was used, types do not fit, …).</summary>
    Evaluation,

    /// <summary>The template itself refused its input with <c>raise_exception</c>.</summary>
    Raised,

    /// <summary>A limit of <see cref="TemplateLimits"/> was reached.</summary>
    Limit,
}

/// <summary>A chat template that cannot be parsed or rendered.</summary>
public sealed class TemplateException : Exception
{
    /// <summary>Creates the error; <paramref name="line"/> counts from 1, 0 means that it is not known.</summary>
    public TemplateException(TemplateErrorKind kind, string reason, int line, Exception? inner = null)
        : base(line > 0 ? $"chat template, line {line}: {reason}" : $"chat template: {reason}", inner)
    {
        Kind = kind;
        Reason = reason;
        Line = line;
    }

    public TemplateErrorKind Kind { get; }

    /// <summary>What went wrong, without the place; for <see cref="TemplateErrorKind.Raised"/> the template's own words.</summary>
    public string Reason { get; }

    /// <summary>The line in the template, from 1; 0 if unknown.</summary>
    public int Line { get; }

    internal static TemplateException Evaluation(string reason) => new(TemplateErrorKind.Evaluation, reason, 0);

    internal static TemplateException Limit(string reason) => new(TemplateErrorKind.Limit, reason, 0);

    internal TemplateException At(int line) => Line > 0 ? this : new TemplateException(Kind, Reason, line, InnerException);
}
