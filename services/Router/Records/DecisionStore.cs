using Google.Protobuf;
using Slm.Shared.Storage;
using Slm.V1;

namespace Slm.Router.Records;

/// <summary>Decisions in the database (infra/database/router-*.sql). Prompts and answers are not among what is kept.</summary>
internal sealed class DecisionStore(ServiceDatabase database)
{
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true));
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    /// <summary>Adds one.</summary>
    public async Task AddAsync(RouteDecision decision, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "INSERT INTO slm_route_decision (id, time, policy, tenant, shadow, decision) VALUES (@id, @time, @policy, @tenant, @shadow, @decision)";
        command.Add("@id", decision.Id);
        command.Add("@time", decision.Time.ToDateTimeOffset().ToUnixTimeMilliseconds());
        command.Add("@policy", decision.Policy);
        command.Add("@tenant", decision.Tenant);
        command.Add("@shadow", decision.HasShadowOf ? 1L : 0L);
        command.Add("@decision", Formatter.Format(decision));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>One; null if there is none of that id.</summary>
    public async Task<RouteDecision?> FindAsync(string id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "SELECT decision FROM slm_route_decision WHERE id = @id";
        command.Add("@id", id);
        return await command.ExecuteScalarAsync(cancellationToken) is string json ? Parser.Parse<RouteDecision>(json) : null;
    }

    /// <summary>Notes whether the answer did its task; null if there is no such decision.</summary>
    public async Task<RouteDecision?> ReportAsync(string id, bool success, CancellationToken cancellationToken)
    {
        var decision = await FindAsync(id, cancellationToken);
        if (decision is null)
            return null;
        decision.Success = success;
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = "UPDATE slm_route_decision SET decision = @decision WHERE id = @id";
        command.Add("@decision", Formatter.Format(decision));
        command.Add("@id", id);
        await command.ExecuteNonQueryAsync(cancellationToken);
        return decision;
    }

    /// <summary>The newest ones, newest first.</summary>
    /// <param name="policy">Of a policy; null: of all.</param>
    /// <param name="shadows">True: those that ran in the shadow; false: the others; null: both.</param>
    /// <param name="limit">Most of them.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task<IReadOnlyList<RouteDecision>> ListAsync(string? policy, bool? shadows, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken);
        await using var command = connection.CreateCommand();
        command.CommandText = """
            SELECT decision FROM slm_route_decision WHERE (@policy = '' OR policy = @policy) AND (@shadow < 0 OR shadow = @shadow)
            ORDER BY time DESC, id LIMIT @limit
            """;
        command.Add("@policy", policy ?? "");
        command.Add("@shadow", shadows switch { null => -1L, true => 1L, false => 0L });
        command.Add("@limit", (long)limit);
        var decisions = new List<RouteDecision>();
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            decisions.Add(Parser.Parse<RouteDecision>(reader.GetString(0)));
        return decisions;
    }
}
