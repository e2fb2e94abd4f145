using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Gateway.Access;

/// <summary>gRPC face of keys and audit log; who may call it, <see cref="AccessMiddleware"/> has decided.</summary>
internal sealed class AccessEndpoint(KeyStore store, KeyRing ring, AuditLog audit, TimeProvider time) : AccessService.AccessServiceBase
{
    private const int LongestName = 64;
    private const int MostEntries = 1000;

    /// <inheritdoc/>
    public override async Task<CreateKeyResponse> CreateKey(CreateKeyRequest request, ServerCallContext context)
    {
        var name = request.Name.Trim();
        if (name.Length is 0 or > LongestName || name.Any(char.IsControl))
            throw new FieldException("name", $"name is '{request.Name}'; it must have 1 to {LongestName} characters and no control characters.");
        if (request.Scopes.Count == 0)
            throw new FieldException("scopes", $"scopes is empty; name at least one of {string.Join(", ", Scope.All)}.");
        if (request.Scopes.FirstOrDefault(s => !Scope.All.Contains(s)) is { } unknown)
            throw new FieldException("scopes", $"scopes has '{unknown}'; there are {string.Join(", ", Scope.All)}.");
        CheckPositive("requests_per_minute", request.HasRequestsPerMinute ? request.RequestsPerMinute : null);
        CheckPositive("tokens_per_minute", request.HasTokensPerMinute ? request.TokensPerMinute : null);
        CheckPositive("max_concurrent", request.HasMaxConcurrent ? request.MaxConcurrent : null);
        // As it is kept.
        var now = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
        if (request.Expires?.ToDateTimeOffset() <= now)
            throw new FieldException("expires", $"expires is {request.Expires}; it must be in the future.");

        var (key, secret) = ApiKey.Create(name, [.. request.Scopes.Distinct()], now);
        key = key with
        {
            RequestsPerMinute = request.HasRequestsPerMinute ? request.RequestsPerMinute : null,
            TokensPerMinute = request.HasTokensPerMinute ? request.TokensPerMinute : null,
            MaxConcurrent = request.HasMaxConcurrent ? request.MaxConcurrent : null,
            Expires = request.Expires is { } end ? DateTimeOffset.FromUnixTimeMilliseconds(end.ToDateTimeOffset().ToUnixTimeMilliseconds()) : null,
        };
        await store.AddAsync(key, context.CancellationToken);
        ring.Forget();
        return new CreateKeyResponse { Key = ToContract(key), Secret = secret };
    }

    /// <inheritdoc/>
    public override async Task<ListKeysResponse> ListKeys(ListKeysRequest request, ServerCallContext context) =>
        new() { Keys = { (await store.ListAsync(context.CancellationToken)).Select(ToContract) } };

    /// <inheritdoc/>
    public override async Task<V1.ApiKey> RevokeKey(RevokeKeyRequest request, ServerCallContext context)
    {
        var found = await store.RevokeAsync(request.Id, time.GetUtcNow(), context.CancellationToken);
        ring.Forget();
        return found
            ? ToContract((await store.ListAsync(context.CancellationToken)).Single(k => k.Id == request.Id))
            : throw ErrorMap.Make(Code.NotFound, $"There is no API key with the id '{request.Id}'.", new ResourceInfo { ResourceType = "slm.v1.ApiKey", ResourceName = request.Id }).ToRpcException();
    }

    /// <inheritdoc/>
    public override async Task<ListAuditResponse> ListAudit(ListAuditRequest request, ServerCallContext context)
    {
        var limit = request.HasLimit ? request.Limit : 100;
        if (limit is < 1 or > MostEntries)
            throw new FieldException("limit", $"limit is {limit}; it must be in 1 to {MostEntries}.");
        return new() { Entries = { (await audit.ListAsync(limit, request.HasKeyId ? request.KeyId : null, context.CancellationToken)).Select(ToContract) } };
    }

    private static void CheckPositive(string field, long? value)
    {
        if (value < 1)
            throw new FieldException(field, $"{field} is {value}; it must be at least 1, or be left out for no limit.");
    }

    private static V1.ApiKey ToContract(ApiKey key)
    {
        var contract = new V1.ApiKey
        {
            Id = key.Id,
            Name = key.Name,
            Scopes = { key.Scopes },
            Created = key.Created.ToTimestamp(),
            Expires = key.Expires?.ToTimestamp(),
            Revoked = key.Revoked?.ToTimestamp(),
        };
        if (key.RequestsPerMinute is { } requests)
            contract.RequestsPerMinute = requests;
        if (key.TokensPerMinute is { } tokens)
            contract.TokensPerMinute = tokens;
        if (key.MaxConcurrent is { } concurrent)
            contract.MaxConcurrent = concurrent;
        return contract;
    }

    private static V1.AuditEntry ToContract(AuditEntry entry) => new()
    {
        Time = entry.Time.ToTimestamp(),
        RequestId = entry.RequestId,
        KeyId = entry.KeyId,
        Address = entry.Address,
        Action = entry.Action,
        Outcome = entry.Outcome,
        PromptTokens = entry.PromptTokens,
        CompletionTokens = entry.CompletionTokens,
        DurationMs = (long)entry.Duration.TotalMilliseconds,
    };
}
