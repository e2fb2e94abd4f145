namespace Slm.Engine.Scheduling;

/// <summary>What a client, or a group of clients, has been given, in weighted tokens.</summary>
internal sealed class ClientShare(string name, ClientShare? group)
{
    public string Name { get; } = name;

    /// <summary>Whom it belongs to; null for a group.</summary>
    public ClientShare? Group { get; } = group;

    /// <summary>Prompt tokens computed for it, and twice the tokens generated.</summary>
    public double Served { get; private set; }

    /// <summary>Its requests in the scheduler.</summary>
    public int Requests { get; set; }

    /// <summary>It has been given more.</summary>
    public void Charge(double tokens)
    {
        Served += tokens;
        if (Group is not null)
            Group.Served += tokens;
    }

    /// <summary>It starts no lower than this.</summary>
    public void Raise(double least) => Served = Math.Max(Served, least);
}

/// <summary>
/// Shares tokens fairly between clients: whoever has been given least goes next (the virtual token counter of Sheng et al.
/// 2024, "Fairness in serving large language models", with their weights 1 and 2). A client that comes back after a pause
/// starts at the least of the others, so that nobody saves up a claim while away. Clients of the name <c>GROUP/CLIENT</c> first
/// share as groups, then each within its own: a caller gets no more by naming many users.
/// Used by the scheduler's loop only.
/// </summary>
internal sealed class ClientLedger
{
    /// <summary>Weight of a generated token; a prompt token has 1.</summary>
    public const double GeneratedWeight = 2;

    /// <summary>Absent clients remembered.</summary>
    private const int MaxAbsent = 4096;

    private readonly Dictionary<string, ClientShare> _clients = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ClientShare> _groups = new(StringComparer.Ordinal);

    /// <summary>One more request of a client.</summary>
    public ClientShare Enter(string name)
    {
        var slash = name.IndexOf('/', StringComparison.Ordinal);
        var group = Enter(_groups, slash < 0 ? name : name[..slash], null);
        return Enter(_clients, name, group);
    }

    /// <summary>One request less.</summary>
    public void Leave(ClientShare client)
    {
        Leave(_clients, client);
        Leave(_groups, client.Group!);
    }

    /// <summary>Less than 0 if <paramref name="one"/> goes before <paramref name="other"/>, more if behind it.</summary>
    public static int Compare(ClientShare one, ClientShare other) =>
        one.Group == other.Group ? one.Served.CompareTo(other.Served) : one.Group!.Served.CompareTo(other.Group!.Served);

    private static ClientShare Enter(Dictionary<string, ClientShare> shares, string name, ClientShare? group)
    {
        // A client whose group was forgotten meanwhile begins anew with it.
        if (!shares.TryGetValue(name, out var share) || share.Group != group)
            shares[name] = share = new ClientShare(name, group);
        if (share.Requests++ == 0 && LeastServed(shares, share) is { } least)
            share.Raise(least);
        return share;
    }

    private static void Leave(Dictionary<string, ClientShare> shares, ClientShare share)
    {
        if (--share.Requests > 0 || shares.Count <= MaxAbsent)
            return;
        foreach (var (name, other) in shares)
        {
            if (other.Requests == 0)
                shares.Remove(name);
        }
    }

    private static double? LeastServed(Dictionary<string, ClientShare> shares, ClientShare except)
    {
        double? least = null;
        foreach (var share in shares.Values)
        {
            if (share.Requests > 0 && share != except && share.Group == except.Group && !(share.Served >= least))
                least = share.Served;
        }

        return least;
    }
}
