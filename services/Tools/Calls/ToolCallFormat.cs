using System.Text;

namespace Slm.Tools.Calls;

/// <summary>
/// How a family of models writes calls. To add one: a class in <c>Formats/</c> with its begin and end, and a line in
/// <see cref="ToolCallStyle.Formats"/>.
/// </summary>
public abstract class ToolCallFormat
{
    /// <summary>What the families call it.</summary>
    public abstract string Name { get; }

    /// <summary>Key of the function's name in a call.</summary>
    public virtual string NameKey => "name";

    /// <summary>Key of the arguments in a call.</summary>
    public virtual string ArgumentsKey => "arguments";

    /// <summary>What stands between two tags.</summary>
    public virtual string Separator => "";

    /// <summary>What every tag begins with: once it stands in free text, a call must follow.</summary>
    public abstract string Trigger { get; }

    /// <summary>The family makes one call an answer: its template refuses more.</summary>
    public virtual bool SingleCall => false;

    /// <summary>Begin or end are special tokens, which the text must keep.</summary>
    public virtual bool HasSpecialTokens => false;

    /// <summary>The family's templates cannot write calls that were made, so they are written here.</summary>
    public virtual bool WritesHistory => false;

    /// <summary>True if a chat template is of this family.</summary>
    public abstract bool Recognizes(string chatTemplate);

    /// <summary>The tags of calls of these functions.</summary>
    /// <param name="functions">At least one.</param>
    /// <param name="parallel">A tag that can hold several calls may do so.</param>
    public abstract IReadOnlyList<ToolTag> Tags(IReadOnlyList<FunctionSpec> functions, bool parallel);

    /// <summary>Calls as the model writes them.</summary>
    public abstract string Write(IReadOnlyList<FunctionCall> calls);

    /// <summary>A new name for a call.</summary>
    public virtual string NewId() => $"call_{Guid.NewGuid():N}"[..29];

    /// <summary>The texts that a model may answer with.</summary>
    public ToolLanguage Language(IReadOnlyList<FunctionSpec> functions, ToolChoice choice)
    {
        ArgumentNullException.ThrowIfNull(choice);
        var allowed = choice.Of(functions);
        var parallel = choice.Parallel && !SingleCall;
        var tags = Tags(allowed, parallel);
        // An array holds all calls of an answer.
        var max = parallel && tags[0].Body != CallBody.Calls ? 0 : 1;
        return new ToolLanguage(tags, choice.Mode == ToolChoiceMode.Required, max, Separator) { Triggers = [Trigger] };
    }

    /// <summary>One call as an object.</summary>
    protected string CallText(FunctionCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return $"{{\"{NameKey}\": \"{call.Name}\", \"{ArgumentsKey}\": {Arguments(call)}}}";
    }

    /// <summary>Several calls as an array.</summary>
    protected string CallsText(IReadOnlyList<FunctionCall> calls) => new StringBuilder("[").AppendJoin(", ", calls.Select(CallText)).Append(']').ToString();

    /// <summary>The arguments, an empty object if there are none.</summary>
    protected static string Arguments(FunctionCall call)
    {
        ArgumentNullException.ThrowIfNull(call);
        return string.IsNullOrWhiteSpace(call.ArgumentsJson) ? "{}" : call.ArgumentsJson;
    }
}

/// <summary>Each call is an object between a begin and an end.</summary>
public abstract class ObjectFormat(string begin, string end) : ToolCallFormat
{
    /// <inheritdoc/>
    public override string Trigger => begin.TrimEnd();

    /// <inheritdoc/>
    public override IReadOnlyList<ToolTag> Tags(IReadOnlyList<FunctionSpec> functions, bool parallel) =>
        [new(begin, CallSchema.Call(functions, NameKey, ArgumentsKey), end, CallBody.Call)];

    /// <inheritdoc/>
    public override string Write(IReadOnlyList<FunctionCall> calls) => string.Join(Separator, calls.Select(c => $"{begin}{CallText(c)}{end}"));
}

/// <summary>All calls of an answer are an array between a begin and an end.</summary>
public abstract class ArrayFormat(string begin, string end) : ToolCallFormat
{
    /// <inheritdoc/>
    public override string Trigger => begin.TrimEnd();

    /// <inheritdoc/>
    public override IReadOnlyList<ToolTag> Tags(IReadOnlyList<FunctionSpec> functions, bool parallel) =>
        [new(begin, CallSchema.Calls(functions, NameKey, ArgumentsKey, parallel), end, CallBody.Calls)];

    /// <inheritdoc/>
    public override string Write(IReadOnlyList<FunctionCall> calls) => $"{begin}{CallsText(calls)}{end}";
}

/// <summary>The function's name stands in the begin, and only its arguments are JSON.</summary>
public abstract class ArgumentsFormat : ToolCallFormat
{
    /// <inheritdoc/>
    public override IReadOnlyList<ToolTag> Tags(IReadOnlyList<FunctionSpec> functions, bool parallel) =>
        [.. functions.Select(f => new ToolTag(BeginText(f.Name), CallSchema.Arguments(f), EndText, CallBody.Arguments, f.Name))];

    /// <inheritdoc/>
    public override string Write(IReadOnlyList<FunctionCall> calls) => string.Join(Separator, calls.Select(c => $"{BeginText(c.Name)}{Arguments(c)}{EndText}"));

    /// <summary>The text before the arguments.</summary>
    protected abstract string BeginText(string name);

    /// <summary>The text behind them.</summary>
    protected abstract string EndText { get; }
}
