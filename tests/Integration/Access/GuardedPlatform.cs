using System.Net.Http.Headers;
using System.Net.Http.Json;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Slm.V1;

namespace Slm.Integration.Access;

/// <summary>A platform with an administrator's key in its settings, and clients that have keys.</summary>
internal sealed class GuardedPlatform(string[] settings, Action<WebApplicationBuilder>? configure = null)
    : Platform([$"--Slm:Access:AdminKey={AdminKey}", .. settings], configure)
{
    public const string Model = "llama-untied-f32";
    public const string AdminKey = "an administrator's key of the tests";

    public static async Task<GuardedPlatform> StartAsync(params string[] settings)
    {
        var platform = new GuardedPlatform(settings);
        await platform.InitializeAsync();
        return platform;
    }

    /// <summary>Metadata with a key.</summary>
    public static Metadata With(string key) => new() { { "authorization", $"Bearer {key}" } };

    /// <summary>Makes a key for inference.</summary>
    public async Task<CreateKeyResponse> CreateAsync(Action<CreateKeyRequest>? change, CancellationToken cancellationToken)
    {
        var request = new CreateKeyRequest { Name = "test" };
        change?.Invoke(request);
        if (request.Scopes.Count == 0)
            request.Scopes.Add("inference");
        return await new AccessService.AccessServiceClient(Channel).CreateKeyAsync(request, With(AdminKey), cancellationToken: cancellationToken);
    }

    /// <summary>Sends JSON to the HTTP address.</summary>
    public async Task<HttpResponseMessage> PostAsync(string path, object body, string? key, CancellationToken cancellationToken, Action<HttpRequestMessage>? change = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        if (key is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        change?.Invoke(request);
        return await Web.SendAsync(request, cancellationToken);
    }

    /// <summary>A short completion over HTTP.</summary>
    public Task<HttpResponseMessage> CompleteAsync(string? key, CancellationToken cancellationToken, int tokens = 3, Action<HttpRequestMessage>? change = null) =>
        PostAsync("/v1/completions", Completion(tokens), key, cancellationToken, change);

    public static object Completion(int tokens, int prompt = 3) =>
        new { model = Model, prompt = Enumerable.Range(1, prompt).ToArray(), max_tokens = tokens, temperature = 0, ignore_eos = true };

    /// <summary>A generation over gRPC that does not end by itself; it has begun.</summary>
    public async Task<AsyncServerStreamingCall<GenerateResponse>> BeginEndlessAsync(string key, CancellationToken cancellationToken)
    {
        var request = GenerationTests.Greedy(ReferenceModel.Tall, [1, 2, 3], 1);
        request.Sampling.ClearMaxTokens();
        var call = Inference.Generate(request, With(key), cancellationToken: cancellationToken);
        Assert.True(await call.ResponseStream.MoveNext(cancellationToken));
        return call;
    }

    /// <summary>The audit log, oldest first, once it has this many entries of a key.</summary>
    public async Task<IReadOnlyList<AuditEntry>> AuditAsync(string keyId, int count, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(TimeSpan.FromSeconds(60));
        while (true)
        {
            var entries = (await new AccessService.AccessServiceClient(Channel).ListAuditAsync(new ListAuditRequest { KeyId = keyId }, With(AdminKey), cancellationToken: deadline.Token)).Entries;
            if (entries.Count >= count)
                return [.. entries.Reverse()];
        }
    }
}
