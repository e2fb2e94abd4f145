using System.Globalization;
using Grpc.Core;
using Slm.Gateway.OpenAi.Constraints;
using Slm.Tools.Calls;
using Slm.V1;

namespace Slm.Gateway.OpenAi.Tools;

/// <summary>How the answers of a request are bounded while they are written, and read for calls.</summary>
internal sealed class AnswerPlan
{
    private readonly ToolCallFormat _format;
    private readonly IReadOnlyList<ToolTag> _tags;
    private readonly string? _constraintField;

    private AnswerPlan(ToolCallFormat format, IReadOnlyList<ToolTag> tags, string? constraintField)
    {
        _format = format;
        _tags = tags;
        _constraintField = constraintField;
    }

    /// <summary>Completes a request: its messages as the model's template takes them, and the language of its answer.</summary>
    /// <param name="clients">To look at the model's template, if there are functions or calls.</param>
    /// <param name="request">Its messages, constraint and special tokens are set.</param>
    /// <param name="tools">The functions.</param>
    /// <param name="asked">What the answer must be, if it is no call.</param>
    /// <param name="cancellationToken">Ends the look-up.</param>
    public static async Task<AnswerPlan> MakeAsync(PlatformClients clients, GenerateRequest request, ToolRequest tools, AskedConstraint? asked, CancellationToken cancellationToken)
    {
        var messages = request.Messages;
        var functions = tools.Choice.Mode == ToolChoiceMode.None ? [] : tools.Functions;
        if (functions.Count == 0 && !messages.Messages_.Any(m => m.ToolCalls.Count > 0 || m.Role == "tool"))
            return Free(request, asked, ToolCallStyle.Generic.Format);
        return Make(request, functions, tools.Choice, asked, await StyleAsync(clients, request.Model, cancellationToken));
    }

    /// <summary>As <see cref="MakeAsync"/>, for a known style.</summary>
    public static AnswerPlan Make(GenerateRequest request, IReadOnlyList<FunctionSpec> functions, ToolChoice choice, AskedConstraint? asked, ToolCallStyle style)
    {
        var transcript = ToolTranscript.Of([.. request.Messages.Messages_.Select(ToolMapping.Turn)], functions, style);
        request.Messages.Messages_.Clear();
        request.Messages.Messages_.AddRange(transcript.Turns.Select(ToolMapping.Message));
        request.Messages.Tools.Clear();
        request.Messages.Tools.AddRange(transcript.Functions.Select(ToolMapping.Definition));
        if (functions.Count == 0)
            return Free(request, asked, style.Format);
        var language = style.Format.Language(functions, choice);
        var exact = choice.Of(functions).Any(f => f.Strict);
        if (asked is not null && !language.Required)
        {
            if (!asked.Constraint.HasJsonSchema)
                throw OpenAiException.Unsupported(asked.Field, "Beside tools that may be called only a JSON schema can be asked for; set 'tool_choice' to none or leave one of them out.");
            language = language.Or(asked.Constraint.JsonSchema);
            exact |= !asked.Constraint.Lenient;
        }
        request.Constraint = ToolMapping.Constraint(language, exact);
        if (style.Format.HasSpecialTokens)
            request.Sampling.SkipSpecialTokens = false;
        return new AnswerPlan(style.Format, language.Tags, asked?.Field);
    }

    /// <summary>A reader of one answer.</summary>
    public ToolCallParser NewParser() => new(_tags, _format);

    /// <summary>Text and calls of a whole answer.</summary>
    public (string Text, IReadOnlyList<FunctionCall> Calls) Read(string answer) => ToolCallParser.Read(answer, _tags, _format);

    /// <summary>The request field that a field of the constraint came from.</summary>
    public string? FieldName(string contractField)
    {
        return _tags.Count == 0 || contractField.Contains(string.Create(CultureInfo.InvariantCulture, $"tags[{_tags.ToList().FindIndex(t => t.Body == CallBody.Document)}]"), StringComparison.Ordinal)
            ? _constraintField : "tools";
    }

    private static async Task<ToolCallStyle> StyleAsync(PlatformClients clients, string model, CancellationToken cancellationToken)
    {
        try
        {
            var info = await clients.Tokens.GetTokenizerInfoAsync(new GetTokenizerInfoRequest { Model = model }, cancellationToken: cancellationToken);
            return ToolCallStyle.Of(info.HasChatTemplate ? info.ChatTemplate : null);
        }
        catch (RpcException error) when (error.StatusCode == StatusCode.NotFound)
        {
            // A name of the router, whose models differ, or of nobody, which generation will say.
            return ToolCallStyle.Generic;
        }
    }

    private static AnswerPlan Free(GenerateRequest request, AskedConstraint? asked, ToolCallFormat format)
    {
        if (asked is not null)
            request.Constraint = asked.Constraint;
        return new AnswerPlan(format, [], asked?.Field);
    }
}
