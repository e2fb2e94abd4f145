using System.Runtime.CompilerServices;

namespace Slm.Tokenization.Templates;

/// <summary>
/// A model's own Jinja chat template, rendered as Hugging Face's apply_chat_template renders it: Jinja 3.1 with
/// trim_blocks, lstrip_blocks, loop controls and the immutable sandbox. Instances are immutable and may be shared.
/// </summary>
public sealed class ChatTemplate
{
    private readonly Statement[] _body;
    private readonly TemplateLimits _limits;

    private ChatTemplate(string source, Statement[] body, TemplateLimits limits)
    {
        Source = source;
        _body = body;
        _limits = limits;
    }

    public string Source { get; }

    /// <summary>Parses a template.</summary>
    /// <exception cref="TemplateException">It is not valid Jinja, or longer than the limit; with the line.</exception>
    public static ChatTemplate Parse(string source, TemplateLimits? limits = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        limits ??= TemplateLimits.Default;
        if (source.Length > limits.MaxSourceChars)
            throw TemplateException.Limit($"the template has {source.Length} characters, the limit is {limits.MaxSourceChars}");
        try
        {
            return new ChatTemplate(source, TemplateParser.Parse(source), limits);
        }
        catch (InsufficientExecutionStackException error)
        {
            throw new TemplateException(TemplateErrorKind.Limit, "nested too deeply", 0, error);
        }
    }

    /// <summary>Renders a conversation to the text of the prompt.</summary>
    /// <exception cref="TemplateException">The template refused the input, failed, or reached a limit.</exception>
    public string Render(ChatTemplateInput input, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        return Run(globals => TemplateVariables.Scope(globals, input), time);
    }

    /// <summary>
    /// As <see cref="Render"/>, but messages without content get an empty one where the template takes only strings. Some templates tell an
    /// assistant that only calls functions by its missing content, others fail at it.
    /// </summary>
    /// <exception cref="TemplateException">The template refused the input, failed, or reached a limit.</exception>
    public string RenderConversation(ChatTemplateInput input, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(input);
        try
        {
            return Render(input, time);
        }
        catch (TemplateException error) when (error.Kind == TemplateErrorKind.Evaluation && input.Messages.Any(m => m.Content is null))
        {
            return Render(input with { Messages = [.. input.Messages.Select(m => m with { Content = m.Content ?? "" })] }, time);
        }
    }

    /// <summary>Renders with nothing but these variables set.</summary>
    internal string RenderVariables(IReadOnlyDictionary<string, object?> variables, TimeProvider? time = null) =>
        Run(globals => TemplateVariables.Extend(new TemplateScope(globals), variables), time);

    private string Run(Func<TemplateScope, TemplateScope> scope, TimeProvider? time)
    {
        var outer = RenderBudget.Swap(new RenderBudget(_limits));
        Interpreter? interpreter = null;
        try
        {
            interpreter = new Interpreter(scope(TemplateGlobals.Create(time ?? TimeProvider.System)), _limits);
            return interpreter.Run(_body);
        }
        catch (TemplateException error)
        {
            throw error.At(interpreter?.Line ?? 0);
        }
        catch (InsufficientExecutionStackException error)
        {
            throw new TemplateException(TemplateErrorKind.Limit, "nested too deeply", interpreter?.Line ?? 0, error);
        }
        finally
        {
            RenderBudget.Swap(outer);
        }
    }
}
