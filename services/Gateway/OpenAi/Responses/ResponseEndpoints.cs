using System.Globalization;
using System.Text.Json;
using Grpc.Core;
using Slm.Gateway.Mcp;
using Slm.Gateway.OpenAi.Constraints;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Gateway.OpenAi.Responses;

/// <summary><c>/v1/responses</c>.</summary>
internal sealed partial class ResponseEndpoints(PlatformClients clients, ResponseStore store, McpServers servers, TimeProvider time, IHostApplicationLifetime life, ILogger<ResponseEndpoints> logger)
{
    public async Task CreateAsync(HttpContext context, JsonElement body)
    {
        var request = ResponseRequest.Parse(body, time.GetUtcNow().ToUnixTimeSeconds());
        SchedulingFields.Complete(request.Prototype.Scheduling, context);
        var owner = Owner(context);
        IReadOnlyList<ChatMessage> history = request.PreviousId is { } previous ? Previous(previous, owner) : [];
        var stored = new StoredResponse(owner, request.Input.Items, request.Body);
        if (request.Background)
        {
            await WriteAsync(context, Start(request, history, stored));
            return;
        }
        var events = new EventStream(context.Response);
        var run = new ResponseRun(request, clients, servers, time,
            e => request.Stream ? events.SendAsync(e, ResponseContext.Shared.ResponseEvent, context.RequestAborted, e.Type) : Task.CompletedTask,
            plan => ConstraintFields.NameErrors(context, plan.FieldName));
        await run.RunAsync(history, context.RequestAborted);
        if (request.Store)
            Keep(stored, run);
        if (!request.Stream)
            await WriteAsync(context, run.Body);
    }

    public Task GetAsync(HttpContext context, string id)
    {
        if (context.Request.Query["stream"] == "true")
            throw OpenAiException.Unsupported("stream", "Ask for the response again until its status is final.");
        return WriteAsync(context, store.Get(id, Owner(context)).Body);
    }

    public async Task DeleteAsync(HttpContext context, string id)
    {
        store.Delete(id, Owner(context));
        await context.Response.WriteAsJsonAsync(new DeletedResponse(id, "response", true), ResponseContext.Shared.DeletedResponse, cancellationToken: context.RequestAborted);
    }

    public async Task CancelAsync(HttpContext context, string id)
    {
        var response = store.Get(id, Owner(context));
        if (response.Running is null)
            throw OpenAiException.Invalid("response_id", $"The response '{id}' was not made in the background: end its connection to cancel such a one.");
        await response.Running.CancelAsync();
        if (response.Body.Status is "queued" or "in_progress")
            response.Body = response.Body with { Status = "cancelled" };
        await WriteAsync(context, response.Body);
    }

    public async Task InputItemsAsync(HttpContext context, string id)
    {
        var query = context.Request.Query;
        var items = store.Get(id, Owner(context)).Input.ToList();
        // As clients expect, the newest come first.
        if (query["order"] != "asc")
            items.Reverse();
        if (query["after"].ToString() is { Length: > 0 } after)
            items = [.. items.SkipWhile(item => IdOf(item) != after).Skip(1)];
        var text = query["limit"].ToString();
        var limit = text.Length == 0 ? 20 : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var given) && given is >= 1 and <= 100 ? given
            : throw OpenAiException.Invalid("limit", $"'limit' is '{text}'; it must be between 1 and 100.");
        JsonElement[] page = [.. items.Take(limit)];
        await context.Response.WriteAsJsonAsync(
            new InputItemList("list", page, page.Length == 0 ? null : IdOf(page[0]), page.Length == 0 ? null : IdOf(page[^1]), items.Count > page.Length),
            ResponseContext.Shared.InputItemList, cancellationToken: context.RequestAborted);
    }

    private IReadOnlyList<ChatMessage> Previous(string id, string owner)
    {
        var response = store.Get(id, owner, "previous_response_id");
        return response.Messages.Count > 0 ? response.Messages
            : throw OpenAiException.Invalid("previous_response_id", $"The response '{id}' has the status {response.Body.Status}; only a finished one can be gone on from.");
    }

    /// <summary>Begins a response that nobody waits for.</summary>
    private ResponseBody Start(ResponseRequest request, IReadOnlyList<ChatMessage> history, StoredResponse stored)
    {
        stored.Running = CancellationTokenSource.CreateLinkedTokenSource(life.ApplicationStopping);
        store.Add(stored);
        ResponseRun? run = null;
        run = new ResponseRun(request, clients, servers, time, _ => Refresh(), _ => { });
        _ = RunAsync();
        return stored.Body;

        Task Refresh()
        {
            if (!stored.Running.IsCancellationRequested)
                stored.Body = run!.Body;
            return Task.CompletedTask;
        }

        async Task RunAsync()
        {
            var cancelled = stored.Running.Token;
            try
            {
                await run!.RunAsync(history, cancelled);
            }
            catch (Exception) when (cancelled.IsCancellationRequested)
            {
                // Said below.
            }
            catch (OpenAiException error)
            {
                run!.Stop("failed", new ResponseError(error.Code ?? "invalid_request_error", error.Message));
            }
            catch (RpcException error)
            {
                var known = OpenAiException.From(error);
                run!.Stop("failed", new ResponseError(known.Code ?? "server_error", known.Message));
            }
#pragma warning disable CA1031 // Nobody waits for this task: what goes wrong is the response's to tell.
            catch (Exception error)
#pragma warning restore CA1031
            {
                LogFailure(logger, error, stored.Body.Id);
                run!.Stop("failed", new ResponseError("server_error", "The response failed inside the server; its log has the details under this id."));
            }
            // Who cancels at the very end has cancelled.
            if (cancelled.IsCancellationRequested)
                run!.Stop("cancelled", null);
            stored.Messages = run!.Messages;
            stored.Body = run.Body;
        }
    }

    private void Keep(StoredResponse stored, ResponseRun run)
    {
        stored.Body = run.Body;
        stored.Messages = run.Messages;
        store.Add(stored);
    }

    /// <summary>Whose responses a request sees: those of its API key, or of all callers without one.</summary>
    private static string Owner(HttpContext context) => ClientIdentity.Of(context.Request.Headers.Authorization, null, "");

    private static string IdOf(JsonElement item) => item.GetProperty("id").GetString()!;

    private static Task WriteAsync(HttpContext context, ResponseBody body) =>
        context.Response.WriteAsJsonAsync(body, ResponseContext.Shared.ResponseBody, cancellationToken: context.RequestAborted);

    [LoggerMessage(Level = LogLevel.Error, Message = "The background response {Id} failed")]
    private static partial void LogFailure(ILogger logger, Exception error, string id);
}
