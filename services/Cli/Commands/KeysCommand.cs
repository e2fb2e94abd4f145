using System.CommandLine;
using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.V1;
using Spectre.Console;

namespace Slm.Cli.Commands;

/// <summary><c>slm keys</c>: the API keys of a running platform, and what was done with them.</summary>
internal static class KeysCommand
{
    private const string TimeFormat = "yyyy-MM-dd HH:mm:ss";

    public static Command Create() => new("keys", "Makes, lists and revokes the API keys of a running platform, and shows its audit log.")
    {
        New(), List(), Revoke(), Audit(),
    };

    private static Command New()
    {
        var name = new Argument<string>("NAME") { Description = "What the key is for, for people." };
        var scopes = new Option<string[]>("--scope")
        {
            Description = "What it may do: inference (default), models, jobs, priority, admin. May be given several times.",
            DefaultValueFactory = _ => ["inference"],
        };
        var requests = CommonOptions.Positive("--requests-per-minute", "Requests a minute; default no limit.", int.MaxValue);
        var tokens = CommonOptions.Positive("--tokens-per-minute", "Tokens of prompts and answers a minute; default no limit.", int.MaxValue);
        var concurrent = CommonOptions.Positive("--max-concurrent", "Requests at work at a time; default what is fair among keys.", int.MaxValue);
        var days = CommonOptions.Positive("--expires-days", "Days until it ends; default never.", 36_500);
        var (endpoint, json) = (CommonOptions.Platform(), CommonOptions.Json());
        var command = new Command("create", "Makes a key and shows it, this once.") { name, scopes, requests, tokens, concurrent, days, endpoint, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var request = new CreateKeyRequest { Name = result.GetRequiredValue(name), Scopes = { result.GetRequiredValue(scopes) } };
            if (result.GetValue(requests) is { } r)
                request.RequestsPerMinute = r;
            if (result.GetValue(tokens) is { } t)
                request.TokensPerMinute = t;
            if (result.GetValue(concurrent) is { } c)
                request.MaxConcurrent = c;
            if (result.GetValue(days) is { } d)
                request.Expires = DateTimeOffset.UtcNow.AddDays(d).ToTimestamp();
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            var answer = await new AccessService.AccessServiceClient(channel).CreateKeyAsync(request, cancellationToken: cancellationToken);
            if (result.GetValue(json))
            {
                JsonOutput.Write(answer);
                return 0;
            }

            await Console.Out.WriteLineAsync(answer.Secret);
            await Console.Error.WriteLineAsync($"This is the key '{answer.Key.Name}' ({answer.Key.Id}). It is not shown again: only a hash of it is kept.");
            return 0;
        });
        return command;
    }

    private static Command List()
    {
        var (endpoint, json) = (CommonOptions.Platform(), CommonOptions.Json());
        var command = new Command("list", "Lists all keys, without their secrets.") { endpoint, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            var answer = await new AccessService.AccessServiceClient(channel).ListKeysAsync(new ListKeysRequest(), cancellationToken: cancellationToken);
            if (result.GetValue(json))
            {
                JsonOutput.Write(answer);
                return 0;
            }

            var table = new Table().AddColumns("id", "name", "scopes", "requests/min", "tokens/min", "at a time", "created (UTC)", "state");
            foreach (var key in answer.Keys)
            {
                table.AddRow(
                    Markup.Escape(key.Id), Markup.Escape(key.Name), string.Join(' ', key.Scopes),
                    Limit(key.HasRequestsPerMinute, key.RequestsPerMinute), Limit(key.HasTokensPerMinute, key.TokensPerMinute), Limit(key.HasMaxConcurrent, key.MaxConcurrent),
                    Text(key.Created), StateOf(key));
            }

            AnsiConsole.Write(table);
            return 0;
        });
        return command;
    }

    private static Command Revoke()
    {
        var id = new Argument<string>("ID") { Description = "Id of the key, as 'slm keys list' has it." };
        var (endpoint, json) = (CommonOptions.Platform(), CommonOptions.Json());
        var command = new Command("revoke", "Ends a key for good.") { id, endpoint, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            var answer = await new AccessService.AccessServiceClient(channel).RevokeKeyAsync(new RevokeKeyRequest { Id = result.GetRequiredValue(id) }, cancellationToken: cancellationToken);
            if (result.GetValue(json))
                JsonOutput.Write(answer);
            else
                AnsiConsole.WriteLine($"The key '{answer.Name}' ({answer.Id}) is revoked.");
            return 0;
        });
        return command;
    }

    private static Command Audit()
    {
        var key = new Option<string?>("--key") { Description = "Only entries of the key with this id." };
        var last = CommonOptions.Positive("--last", "Number of entries; default 100.", 1000);
        var (endpoint, json) = (CommonOptions.Platform(), CommonOptions.Json());
        var command = new Command("audit", "Shows who did what, when, with which outcome and how many tokens; newest first.") { key, last, endpoint, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var request = new ListAuditRequest();
            if (result.GetValue(key) is { } id)
                request.KeyId = id;
            if (result.GetValue(last) is { } limit)
                request.Limit = limit;
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            var answer = await new AccessService.AccessServiceClient(channel).ListAuditAsync(request, cancellationToken: cancellationToken);
            if (result.GetValue(json))
            {
                JsonOutput.Write(answer);
                return 0;
            }

            var table = new Table().AddColumns("time (UTC)", "key", "address", "action", "outcome", "prompt", "completion", "ms");
            foreach (var entry in answer.Entries)
            {
                table.AddRow(
                    Text(entry.Time), Markup.Escape(entry.KeyId), Markup.Escape(entry.Address), Markup.Escape(entry.Action), Markup.Escape(entry.Outcome),
                    Quantity.Count(entry.PromptTokens), Quantity.Count(entry.CompletionTokens), entry.DurationMs.ToString(CultureInfo.InvariantCulture));
            }

            AnsiConsole.Write(table);
            return 0;
        });
        return command;
    }

    private static string Limit(bool has, long value) => has ? value.ToString(CultureInfo.InvariantCulture) : "";

    private static string Text(Timestamp? time) => time?.ToDateTimeOffset().ToString(TimeFormat, CultureInfo.InvariantCulture) ?? "";

    private static string StateOf(ApiKey key) =>
        key.Revoked is not null ? $"revoked {Text(key.Revoked)}"
        : key.Expires is null ? "active"
        : key.Expires.ToDateTimeOffset() <= DateTimeOffset.UtcNow ? $"expired {Text(key.Expires)}"
        : $"active until {Text(key.Expires)}";
}
