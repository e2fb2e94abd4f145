using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Slm.V1;

namespace Slm.Cli.Tests;

/// <summary>The commands for API keys, against a server that says what it was asked.</summary>
public sealed class KeyTests : IAsyncLifetime
{
    private readonly Recorder _recorder = new();
    private FakePlatform? _platform;

    public async ValueTask InitializeAsync() => _platform = await FakePlatform.StartAsync(_recorder, server => server.MapGrpcService<FakeAccess>());

    public async ValueTask DisposeAsync()
    {
        if (_platform is not null)
            await _platform.DisposeAsync();
    }

    [Fact]
    public async Task A_key_is_made_as_wished_and_is_all_there_is_on_standard_output()
    {
        var result = await RunAsync("create", "ci", "--scope", "inference", "--scope", "models", "--requests-per-minute", "60", "--tokens-per-minute", "1000", "--max-concurrent", "4");
        Assert.Equal("slm_abc_secret\n", result.Output);
        Assert.Contains("not shown again", result.Error, StringComparison.Ordinal);
        Assert.Equal(
            new CreateKeyRequest { Name = "ci", Scopes = { "inference", "models" }, RequestsPerMinute = 60, TokensPerMinute = 1000, MaxConcurrent = 4 }, _recorder.Created);
        Assert.Equal("Bearer the key", _recorder.Authorization);
        await RunAsync("create", "plain");
        Assert.Equal(new CreateKeyRequest { Name = "plain", Scopes = { "inference" } }, _recorder.Created);
    }

    [Fact]
    public async Task Keys_are_listed_with_their_limits_and_state()
    {
        var table = (await RunAsync("list")).Output;
        Assert.All(new[] { "abc", "ci", "inference models", "60", "revoked 2026-01-02 03:04:05" }, text => Assert.Contains(text, table, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_key_is_revoked_by_its_id() => Assert.Equal("The key 'ci' (abc) is revoked.\n", (await RunAsync("revoke", "abc")).Output);

    [Fact]
    public async Task The_audit_log_is_shown()
    {
        var table = (await RunAsync("audit", "--key", "abc", "--last", "7")).Output;
        Assert.All(new[] { "POST /v1/completions", "200", "192.0.2.1", "12" }, text => Assert.Contains(text, table, StringComparison.Ordinal));
        Assert.Equal(new ListAuditRequest { KeyId = "abc", Limit = 7 }, _recorder.Audited);
    }

    private async Task<SlmCommand.Result> RunAsync(params string[] arguments)
    {
        var result = await SlmCommand.RunAsync(new Dictionary<string, string> { ["SLM_API_KEY"] = "the key" }, null, ["keys", .. arguments, "--endpoint", _platform!.Endpoint]);
        Assert.True(result.ExitCode == 0, result.Error);
        return result;
    }

    private sealed class Recorder
    {
        public CreateKeyRequest? Created { get; set; }

        public ListAuditRequest? Audited { get; set; }

        public string? Authorization { get; set; }
    }

    private sealed class FakeAccess(Recorder recorder) : AccessService.AccessServiceBase
    {
        private static readonly ApiKey Key = new()
        {
            Id = "abc",
            Name = "ci",
            Scopes = { "inference", "models" },
            RequestsPerMinute = 60,
            Created = new Timestamp(),
            Revoked = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc).ToTimestamp(),
        };

        public override Task<CreateKeyResponse> CreateKey(CreateKeyRequest request, ServerCallContext context)
        {
            (recorder.Created, recorder.Authorization) = (request, context.RequestHeaders.GetValue("authorization"));
            return Task.FromResult(new CreateKeyResponse { Key = Key, Secret = "slm_abc_secret" });
        }

        public override Task<ListKeysResponse> ListKeys(ListKeysRequest request, ServerCallContext context) => Task.FromResult(new ListKeysResponse { Keys = { Key } });

        public override Task<ApiKey> RevokeKey(RevokeKeyRequest request, ServerCallContext context)
        {
            Assert.Equal(Key.Id, request.Id);
            return Task.FromResult(Key);
        }

        public override Task<ListAuditResponse> ListAudit(ListAuditRequest request, ServerCallContext context)
        {
            recorder.Audited = request;
            return Task.FromResult(new ListAuditResponse
            {
                Entries = { new AuditEntry { Time = new Timestamp(), KeyId = "abc", Address = "192.0.2.1", Action = "POST /v1/completions", Outcome = "200", PromptTokens = 3, CompletionTokens = 9, DurationMs = 12 } },
            });
        }
    }
}
