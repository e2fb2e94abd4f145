namespace Slm.Engine.Scheduling;

/// <summary>What a client has been given, in weighted tokens.</summary>
internal sealed class ClientShare(string name)
{
    public string Name { get; } = name;

    /// <summary>Prompt tokens computed for it, and twice the tokens generated.</summary>
    public double Served { get; set; }

    /// <summary>Its requests in the scheduler.</summary>
    public int Requests { get; set; }
}

/// <summary>
/// Shares tokens fairly between clients: whoever has been given least goes next (the virtual token counter of Sheng et al.
/// 2024, "Fairness in serving large language models", with their weights 1 and 2). A client that comes back after a pause
/// starts at the least of the others, so that nobody saves up a claim while away.
/// Used by the scheduler's loop only.
/// </summary>
internal sealed class ClientLedger
{
    /// <summary>Weight of a generated token; a prompt token has 1.</summary>
    public const double GeneratedWeight = 2;

    /// <summary>Absent clients remembered.</summary>
    private const int MaxAbsent = 4096;

    private readonly Dictionary<string, ClientShare> _clients = new(StringComparer.Ordinal);

    /// <summary>One more request of a client.</summary>
    public ClientShare Enter(string name)
    {
        if (!_clients.TryGetValue(name, out var client))
            _clients.Add(name, client = new ClientShare(name));
        if (client.Requests++ == 0 && LeastServed(client) is { } least)
            client.Served = Math.Max(client.Served, least);
        return client;
    }

    /// <summary>One request less.</summary>
    public void Leave(ClientShare client)
    {
        if (--client.Requests > 0 || _clients.Count <= MaxAbsent)
            return;
        foreach (var (name, other) in _clients)
        {
            if (other.Requests == 0)
                _clients.Remove(name);
        }
    }

    private double? LeastServed(ClientShare except)
    {
        double? least = null;
        foreach (var client in _clients.Values)
        {
            if (client.Requests > 0 && client != except && !(client.Served >= least))
                least = client.Served;
        }

        return least;
    }
}
