using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Npgsql;
using Slm.V1;

namespace Slm.Integration.Access;

public sealed class KeyTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_first_key_closes_the_door_and_a_revoked_one_opens_it_no_more(bool onPostgreSql)
    {
        await using var server = onPostgreSql ? await PostgreSqlServer.StartAsync(Cancelled) : null;
        await using var platform = new OpenPlatform(server is null ? [] : [$"--Slm:Access:Database={server.ConnectionString}"]);
        await platform.InitializeAsync();
        var access = new AccessService.AccessServiceClient(platform.Channel);
        var models = new ModelService.ModelServiceClient(platform.Channel);

        // Open, and the key that is sent all the same does not matter.
        await models.ListAsync(new ListModelsRequest(), GuardedPlatform.With("none"), cancellationToken: Cancelled);
        var admin = await access.CreateKeyAsync(new CreateKeyRequest { Name = "boss", Scopes = { "admin" } }, cancellationToken: Cancelled);

        // Closed, over gRPC and HTTP.
        await RefusedAsync(StatusCode.Unauthenticated, () => models.ListAsync(new ListModelsRequest(), cancellationToken: Cancelled).ResponseAsync);
        await RefusedAsync(StatusCode.Unauthenticated, () => models.ListAsync(new ListModelsRequest(), GuardedPlatform.With("none"), cancellationToken: Cancelled).ResponseAsync);
        await RefusedAsync(StatusCode.Unauthenticated, () => models.ListAsync(new ListModelsRequest(), GuardedPlatform.With(admin.Secret[..^1]), cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(HttpStatusCode.Unauthorized, (await platform.Web.GetAsync("/v1/models", Cancelled)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await platform.Web.GetAsync("/v1/deployments", Cancelled)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await platform.Web.GetAsync("/health", Cancelled)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await platform.Web.GetAsync("/", Cancelled)).StatusCode);

        // The key opens it.
        var user = await access.CreateKeyAsync(
            new CreateKeyRequest { Name = "user", Scopes = { "inference" }, TokensPerMinute = 1_000_000, Expires = DateTime.UtcNow.AddDays(1).ToTimestamp() },
            GuardedPlatform.With(admin.Secret), cancellationToken: Cancelled);
        await models.ListAsync(new ListModelsRequest(), GuardedPlatform.With(user.Secret), cancellationToken: Cancelled);
        var once = await platform.Inference.GenerateOnceAsync(GenerationTests.Greedy(GuardedPlatform.Model, [1, 2], 3), GuardedPlatform.With(user.Secret), cancellationToken: Cancelled);
        Assert.Equal(3, once.TokenIds.Count);

        // It is listed with its limits and without its secret, which is nowhere.
        var listed = (await access.ListKeysAsync(new ListKeysRequest(), GuardedPlatform.With(admin.Secret), cancellationToken: Cancelled)).Keys;
        Assert.Equal(new[] { admin.Key, user.Key }, listed);
        Assert.Equal((1_000_000L, false), (listed[1].TokensPerMinute, listed[1].HasRequestsPerMinute));
        if (server is null)
        {
            foreach (var file in Directory.EnumerateFiles(platform.Data, "access.db*"))
                Assert.DoesNotContain(user.Secret[20..], Encoding.Latin1.GetString(await ReadAsync(file)), StringComparison.Ordinal);
        }
        else
        {
            await using var source = NpgsqlDataSource.Create(server.ConnectionString);
            await using var command = source.CreateCommand("SELECT string_agg(k::text, ' ') FROM slm_api_key k");
            Assert.DoesNotContain(user.Secret[20..], (string)(await command.ExecuteScalarAsync(Cancelled))!, StringComparison.Ordinal);
        }

        // Revoked.
        var revoked = await access.RevokeKeyAsync(new RevokeKeyRequest { Id = user.Key.Id }, GuardedPlatform.With(admin.Secret), cancellationToken: Cancelled);
        Assert.NotNull(revoked.Revoked);
        await RefusedAsync(StatusCode.Unauthenticated, () => models.ListAsync(new ListModelsRequest(), GuardedPlatform.With(user.Secret), cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(revoked, await access.RevokeKeyAsync(new RevokeKeyRequest { Id = user.Key.Id }, GuardedPlatform.With(admin.Secret), cancellationToken: Cancelled));
        await RefusedAsync(StatusCode.NotFound, () => access.RevokeKeyAsync(new RevokeKeyRequest { Id = "nonesuch" }, GuardedPlatform.With(admin.Secret), cancellationToken: Cancelled).ResponseAsync);
        await access.RevokeKeyAsync(new RevokeKeyRequest { Id = admin.Key.Id }, GuardedPlatform.With(admin.Secret), cancellationToken: Cancelled);
        await RefusedAsync(StatusCode.Unauthenticated, () => models.ListAsync(new ListModelsRequest(), cancellationToken: Cancelled).ResponseAsync);
    }

    [Fact]
    public async Task A_key_does_what_its_scopes_say_and_nothing_else()
    {
        await using var platform = await GuardedPlatform.StartAsync();
        var inference = (await platform.CreateAsync(null, Cancelled)).Secret;
        var operating = (await platform.CreateAsync(r => r.Scopes.Add("models"), Cancelled)).Secret;
        var load = new LoadModelRequest { Model = GuardedPlatform.Model };
        await RefusedAsync(StatusCode.PermissionDenied, () => platform.Models.LoadAsync(load, GuardedPlatform.With(inference), cancellationToken: Cancelled).ResponseAsync);
        await platform.Models.LoadAsync(load, GuardedPlatform.With(operating), cancellationToken: Cancelled);
        await RefusedAsync(StatusCode.PermissionDenied, () => platform.Inference.EmbedAsync(new EmbedRequest(), GuardedPlatform.With(operating), cancellationToken: Cancelled).ResponseAsync);
        foreach (var key in new[] { inference, operating })
        {
            await RefusedAsync(StatusCode.PermissionDenied, () => new AccessService.AccessServiceClient(platform.Channel).ListKeysAsync(new ListKeysRequest(), GuardedPlatform.With(key), cancellationToken: Cancelled).ResponseAsync);
            await RefusedAsync(StatusCode.PermissionDenied, () => new TrainerService.TrainerServiceClient(platform.Channel).ListAsync(new ListJobsRequest(), GuardedPlatform.With(key), cancellationToken: Cancelled).ResponseAsync);
        }

        using var refused = await platform.PostAsync($"/v1/deployments/{GuardedPlatform.Model}:unload", new { }, inference, Cancelled);
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        Assert.Equal("insufficient_permissions", await CodeOf(refused));
        using var none = await platform.CompleteAsync(null, Cancelled);
        Assert.Equal((HttpStatusCode.Unauthorized, "invalid_api_key", "Bearer"), (none.StatusCode, await CodeOf(none), none.Headers.WwwAuthenticate.ToString()));
        using var answered = await platform.CompleteAsync(inference, Cancelled);
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
    }

    [Fact]
    public async Task Only_a_key_with_that_scope_may_go_before_others()
    {
        await using var platform = await GuardedPlatform.StartAsync();
        var plain = (await platform.CreateAsync(null, Cancelled)).Secret;
        var urgent = (await platform.CreateAsync(r => r.Scopes.Add(["inference", "priority"]), Cancelled)).Secret;
        var request = GenerationTests.Greedy(GuardedPlatform.Model, [1, 2], 2);
        request.Scheduling = new SchedulingOptions { Priority = -1 };
        await RefusedAsync(StatusCode.InvalidArgument, () => platform.Inference.GenerateOnceAsync(request, GuardedPlatform.With(plain), cancellationToken: Cancelled).ResponseAsync);
        await platform.Inference.GenerateOnceAsync(request, GuardedPlatform.With(urgent), cancellationToken: Cancelled);

        // The gateway's own mark, when a client sends it.
        var forged = GuardedPlatform.With(plain);
        forged.Add("x-slm-caller", "key:other;priority");
        await RefusedAsync(StatusCode.InvalidArgument, () => platform.Inference.GenerateOnceAsync(request, forged, cancellationToken: Cancelled).ResponseAsync);
        var body = new { model = GuardedPlatform.Model, prompt = new[] { 1, 2 }, max_tokens = 2, priority = -1 };
        using var refused = await platform.PostAsync("/v1/completions", body, plain, Cancelled);
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        using var answered = await platform.PostAsync("/v1/completions", body, urgent, Cancelled);
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
    }

    public static TheoryData<string, Action<CreateKeyRequest>> WrongKeys { get; } = new()
    {
        { "name", r => r.Name = " " },
        { "name", r => r.Name = new string('x', 65) },
        { "scopes", r => r.Scopes.Clear() },
        { "scopes", r => r.Scopes.Add("everything") },
        { "requests_per_minute", r => r.RequestsPerMinute = 0 },
        { "tokens_per_minute", r => r.TokensPerMinute = -1 },
        { "max_concurrent", r => r.MaxConcurrent = 0 },
        { "expires", r => r.Expires = new Timestamp { Seconds = 1 } },
    };

    [Theory]
    [MemberData(nameof(WrongKeys), DisableDiscoveryEnumeration = true)]
    public async Task A_key_that_cannot_be_is_refused_by_field(string field, Action<CreateKeyRequest> change)
    {
        await using var platform = new OpenPlatform([]);
        await platform.InitializeAsync();
        var request = new CreateKeyRequest { Name = "x", Scopes = { "inference" } };
        change(request);
        var error = await Assert.ThrowsAsync<RpcException>(() => new AccessService.AccessServiceClient(platform.Channel).CreateKeyAsync(request, cancellationToken: Cancelled).ResponseAsync);
        Assert.Equal(field, error.GetRpcStatus()!.GetDetail<Google.Rpc.BadRequest>()!.FieldViolations[0].Field);
    }

    internal static async Task<RpcException> RefusedAsync(StatusCode code, Func<Task> call)
    {
        var error = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(code, error.StatusCode);
        Assert.NotEmpty(error.Status.Detail);
        return error;
    }

    internal static async Task<string?> CodeOf(HttpResponseMessage answer) =>
        (await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("error").GetProperty("code").GetString();

    private static async Task<byte[]> ReadAsync(string file)
    {
        await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var bytes = new byte[stream.Length];
        await stream.ReadExactlyAsync(bytes, Cancelled);
        return bytes;
    }

    private sealed class OpenPlatform(string[] settings) : Platform(settings);
}
