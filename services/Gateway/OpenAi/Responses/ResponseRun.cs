using System.Text;
using Grpc.Core;
using Slm.Gateway.Mcp;
using Slm.Gateway.OpenAi.Tools;
using Slm.Tools.Calls;
using Slm.Tools.Functions;
using Slm.V1;

namespace Slm.Gateway.OpenAi.Responses;

/// <summary>One response while it is made: asks the model, runs the tools of MCP servers, and tells of every step.</summary>
internal sealed class ResponseRun
{
    private readonly ResponseRequest _request;
    private readonly PlatformClients _clients;
    private readonly McpServers _servers;
    private readonly TimeProvider _time;
    private readonly Func<ResponseEvent, Task> _emit;
    private readonly Action<AnswerPlan> _planned;
    private readonly List<OutputItem> _output = [];
    private readonly List<ChatTokenLogProb> _logprobs = [];
    private ServerTools _serverTools = ServerTools.None;
    private ToolRequest _tools;
    private ResponseBody _body;
    private int _sequence;
    private bool _begun, _cut;

    /// <summary>Prepares a response.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="clients">The services behind.</param>
    /// <param name="servers">The operator's MCP servers.</param>
    /// <param name="time">Clock.</param>
    /// <param name="emit">Hears of every step.</param>
    /// <param name="planned">Hears how answers are bounded, for the names of fields in errors.</param>
    public ResponseRun(ResponseRequest request, PlatformClients clients, McpServers servers, TimeProvider time, Func<ResponseEvent, Task> emit, Action<AnswerPlan> planned)
    {
        _request = request;
        _clients = clients;
        _servers = servers;
        _time = time;
        _emit = emit;
        _planned = planned;
        _tools = request.Tools;
        _body = request.Body;
    }

    /// <summary>The response as far as it has come.</summary>
    public ResponseBody Body => _body with { Output = [.. _output] };

    /// <summary>The conversation behind it, without the instructions, which hold for one response only.</summary>
    public IReadOnlyList<ChatMessage> Messages { get; private set; } = [];

    /// <summary>Makes the response, after the messages of those before it.</summary>
    public async Task RunAsync(IReadOnlyList<ChatMessage> history, CancellationToken cancellationToken)
    {
        try
        {
            await OpenToolsAsync(cancellationToken);
            var turns = new List<ToolTurn>();
            if (_request.Instructions is { Length: > 0 } instructions)
                turns.Add(new ToolTurn("system", instructions));
            turns.AddRange(history.Concat(_request.Input.Messages).Select(ToolMapping.Turn));
            var result = await new ToolLoop(_serverTools.Registry).RunAsync(turns, AskAsync, RanAsync, cancellationToken);
            Messages = [.. result.Turns.Skip(_request.Instructions is { Length: > 0 } ? 1 : 0).Select(ToolMapping.Message)];
            var reason = _cut ? "max_output_tokens" : result.End == ToolLoopEnd.TooManyRounds ? "max_tool_calls" : null;
            await EndAsync(reason is null ? "completed" : "incomplete", reason, null);
        }
        catch (RpcException error) when (_begun && !cancellationToken.IsCancellationRequested)
        {
            var known = OpenAiException.From(error);
            await EndAsync("failed", null, new ResponseError(known.Code ?? "server_error", known.Message));
        }
    }

    /// <summary>A response that nobody waits for any more, or that could not begin.</summary>
    public void Stop(string status, ResponseError? error) => _body = _body with { Status = status, Error = error };

    private async Task OpenToolsAsync(CancellationToken cancellationToken)
    {
        if (_request.Servers.Count == 0)
            return;
        _serverTools = await _servers.OpenAsync(_request.Servers, _request.Tools.Functions, cancellationToken);
        _tools = _request.Tools with { Functions = [.. _request.Tools.Functions, .. _serverTools.Registry.Functions] };
        await BeginAsync();
        foreach (var (label, tools) in _serverTools.Listed)
        {
            var item = new OutputItem($"mcpl_{Guid.NewGuid():N}", "mcp_list_tools") { ServerLabel = label, Tools = tools };
            await AddAsync(item);
            await EmitAsync("response.mcp_list_tools.completed", e => e with { ItemId = item.Id, OutputIndex = _output.Count - 1 });
            await EmitAsync("response.output_item.done", e => e with { Item = item, OutputIndex = _output.Count - 1 });
        }
    }

    private async Task<ToolTurn> AskAsync(IReadOnlyList<ToolTurn> turns, CancellationToken cancellationToken)
    {
        var generate = _request.Prototype.Clone();
        generate.Messages.Messages_.AddRange(turns.Select(ToolMapping.Message));
        var plan = await AnswerPlan.MakeAsync(_clients, generate, _tools, _request.Constraint, cancellationToken);
        _planned(plan);
        var parser = plan.NewParser();
        var answer = new Answer();
        var finish = FinishReason.Unspecified;
        await foreach (var piece in _clients.Answers.GenerateAsync(generate, cancellationToken))
        {
            await BeginAsync();
            if (generate.Sampling.Logprobs)
                _logprobs.AddRange(WireMapping.Chat(piece.Logprobs).Content);
            foreach (var part in parser.Append(piece.Text))
                await TakeAsync(part, answer);
            if (piece.FinishReason == FinishReason.Unspecified)
                continue;
            foreach (var part in parser.End())
                await TakeAsync(part, answer);
            finish = piece.FinishReason;
            AddUsage(piece.Usage);
        }
        _cut = finish == FinishReason.Length;
        await CloseAsync(answer);
        // Who must call a function has done so with the first answer.
        if (_tools.Choice.Mode == ToolChoiceMode.Required)
            _tools = _tools with { Choice = _tools.Choice with { Mode = ToolChoiceMode.Auto, Names = null } };
        return new ToolTurn("assistant", answer.Text.ToString()) { Calls = _cut ? [] : answer.Calls };
    }

    private async Task TakeAsync(AnswerPart part, Answer answer)
    {
        switch (part)
        {
            case AnswerPart.Text text:
                if (answer.Open is not { Type: "message" })
                {
                    await CloseAsync(answer);
                    answer.Open = new OutputItem($"msg_{Guid.NewGuid():N}", "message") { Status = "in_progress", Role = "assistant", Content = [] };
                    answer.Item.Clear();
                    await AddAsync(answer.Open);
                    await EmitAsync("response.content_part.added", e => Here(e, answer) with { ContentIndex = 0, Part = Part("", []) });
                }
                answer.Item.Append(text.Value);
                answer.Text.Append(text.Value);
                ChatTokenLogProb[] fresh = [.. _logprobs.Skip(answer.LogprobsSent)];
                answer.LogprobsSent = _logprobs.Count;
                await EmitAsync("response.output_text.delta", e => Here(e, answer) with { ContentIndex = 0, Delta = text.Value, Logprobs = fresh });
                break;
            case AnswerPart.CallBegin begin:
                await CloseAsync(answer);
                var label = _serverTools.LabelOf(begin.Function);
                answer.Open = label is null
                    ? new OutputItem($"fc_{Guid.NewGuid():N}", "function_call") { Status = "in_progress", CallId = begin.Id, Name = begin.Function, Arguments = "" }
                    : new OutputItem($"mcp_{Guid.NewGuid():N}", "mcp_call") { Status = "in_progress", ServerLabel = label, Name = begin.Function, Arguments = "" };
                answer.CallId = begin.Id;
                answer.Item.Clear();
                await AddAsync(answer.Open);
                if (label is not null)
                    await EmitAsync("response.mcp_call.in_progress", e => Here(e, answer));
                break;
            case AnswerPart.ArgumentsMore more:
                answer.Item.Append(more.Json);
                await EmitAsync($"response.{Kind(answer.Open!)}_arguments.delta", e => Here(e, answer) with { Delta = more.Json });
                break;
        }
    }

    private async Task CloseAsync(Answer answer)
    {
        if (answer.Open is not { } open)
            return;
        var text = answer.Item.ToString();
        var status = _cut ? "incomplete" : "completed";
        if (open.Type == "message")
        {
            var part = Part(text, [.. _logprobs]);
            await EmitAsync("response.output_text.done", e => Here(e, answer) with { ContentIndex = 0, Text = text, Logprobs = part.Logprobs });
            await EmitAsync("response.content_part.done", e => Here(e, answer) with { ContentIndex = 0, Part = part });
            open = open with { Status = status, Content = [part] };
        }
        else
        {
            open = open with { Arguments = text, Status = open.Type == "mcp_call" && !_cut ? "in_progress" : status };
            answer.Calls.Add(new FunctionCall(answer.CallId, open.Name!, text));
            await EmitAsync($"response.{Kind(open)}_arguments.done", e => Here(e, answer) with { Name = open.Name, Arguments = text });
            if (open.Type == "mcp_call")
                _serverTools.Running[answer.CallId] = _output.Count - 1;
        }
        _output[^1] = open;
        _logprobs.Clear();
        answer.LogprobsSent = 0;
        if (open.Type != "mcp_call" || _cut)
            await EmitAsync("response.output_item.done", e => Here(e, answer) with { ItemId = null, Item = open });
        answer.Open = null;
    }

    /// <summary>A tool of a server has run.</summary>
    private async Task RanAsync(FunctionOutcome outcome)
    {
        var index = _serverTools.Running[outcome.Call.Id];
        var item = _output[index] with
        {
            Status = outcome.Error is null ? "completed" : "failed",
            Output = outcome.Error is null ? outcome.Output : null,
            Error = outcome.Error is null ? null : outcome.Output,
        };
        _output[index] = item;
        await EmitAsync($"response.mcp_call.{item.Status}", e => e with { ItemId = item.Id, OutputIndex = index });
        await EmitAsync("response.output_item.done", e => e with { OutputIndex = index, Item = item });
    }

    private async Task BeginAsync()
    {
        if (_begun)
            return;
        _begun = true;
        _body = _body with { Status = "in_progress" };
        await EmitAsync("response.created", e => e with { Response = Body });
        await EmitAsync("response.in_progress", e => e with { Response = Body });
    }

    private async Task EndAsync(string status, string? reason, ResponseError? error)
    {
        _body = _body with
        {
            Status = status,
            Error = error,
            IncompleteDetails = reason is null ? null : new IncompleteDetails(reason),
            CompletedAt = status == "completed" ? _time.GetUtcNow().ToUnixTimeSeconds() : null,
        };
        await EmitAsync($"response.{status}", e => e with { Response = Body });
    }

    private async Task AddAsync(OutputItem item)
    {
        _output.Add(item);
        await EmitAsync("response.output_item.added", e => e with { OutputIndex = _output.Count - 1, Item = item });
    }

    private Task EmitAsync(string type, Func<ResponseEvent, ResponseEvent> fill) => _emit(fill(new ResponseEvent(type, _sequence++)));

    private ResponseEvent Here(ResponseEvent e, Answer answer) => e with { OutputIndex = _output.Count - 1, ItemId = answer.Open!.Id };

    private void AddUsage(Usage usage)
    {
        var before = _body.Usage;
        var (input, cached, output) = (usage.PromptTokens + (before?.InputTokens ?? 0), usage.CachedPromptTokens + (before?.InputTokensDetails.CachedTokens ?? 0), usage.CompletionTokens + (before?.OutputTokens ?? 0));
        _body = _body with { Usage = new ResponseUsage(input, new InputTokensDetails(cached), output, new OutputTokensDetails(0), input + output) };
    }

    private static ContentPart Part(string text, IReadOnlyList<ChatTokenLogProb> logprobs) => new("output_text", text, [], logprobs);

    private static string Kind(OutputItem item) => item.Type == "mcp_call" ? "mcp_call" : "function_call";

    /// <summary>One answer of the model: what is open in it.</summary>
    private sealed class Answer
    {
        public OutputItem? Open { get; set; }

        public string CallId { get; set; } = "";

        public int LogprobsSent { get; set; }

        /// <summary>Text or arguments of the open item.</summary>
        public StringBuilder Item { get; } = new();

        public StringBuilder Text { get; } = new();

        public List<FunctionCall> Calls { get; } = [];
    }
}
