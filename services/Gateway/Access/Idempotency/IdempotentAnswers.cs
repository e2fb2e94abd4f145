namespace Slm.Gateway.Access.Idempotency;

/// <summary>An answer that may be given again.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Headers">Headers that belong to the content.</param>
/// <param name="Body">The bytes.</param>
internal sealed record KeptAnswer(int Status, IReadOnlyList<KeyValuePair<string, string>> Headers, byte[] Body);

/// <summary>What is known of an Idempotency-Key.</summary>
internal enum KeyState
{
    /// <summary>New: the request is to be carried out, and its claim to be ended.</summary>
    New,

    /// <summary>The first request is still at work.</summary>
    Running,

    /// <summary>It came with another request.</summary>
    Different,

    /// <summary>The answer is there.</summary>
    Answered,
}

/// <summary>
/// Answers by Idempotency-Key, in memory, each caller's apart: for so long, and as many as fit, the oldest given up first.
/// </summary>
internal sealed class IdempotentAnswers(long capacityBytes, TimeSpan lifetime, TimeProvider time)
{
    /// <summary>What an entry costs besides its body, roughly.</summary>
    private const int Overhead = 512;

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Caller, string Key), Entry> _entries = [];
    private readonly LinkedList<Entry> _answered = new();
    private long _bytes;

    private sealed class Entry((string, string) id, string fingerprint)
    {
        public (string, string) Id { get; } = id;

        public string Fingerprint { get; } = fingerprint;

        public KeptAnswer? Answer { get; set; }

        public long At { get; set; }
    }

    /// <summary>Looks a key up, and claims it if it is new.</summary>
    /// <param name="caller">Whose key it is.</param>
    /// <param name="key">The key.</param>
    /// <param name="fingerprint">Hash of the request.</param>
    public (KeyState State, KeptAnswer? Answer) Claim(string caller, string key, string fingerprint)
    {
        lock (_lock)
        {
            while (_answered.First is { } oldest && time.GetElapsedTime(oldest.Value.At) > lifetime)
                Drop(oldest);
            if (!_entries.TryGetValue((caller, key), out var entry))
            {
                _entries.Add((caller, key), new Entry((caller, key), fingerprint));
                return (KeyState.New, null);
            }

            if (entry.Fingerprint != fingerprint)
                return (KeyState.Different, null);
            return entry.Answer is null ? (KeyState.Running, null) : (KeyState.Answered, entry.Answer);
        }
    }

    /// <summary>Ends a claim: keeps the answer, or forgets the key if there is none that may be repeated.</summary>
    public void Settle(string caller, string key, KeptAnswer? answer)
    {
        lock (_lock)
        {
            var entry = _entries[(caller, key)];
            if (answer is null || answer.Body.Length + Overhead > capacityBytes)
            {
                _entries.Remove(entry.Id);
                return;
            }

            entry.Answer = answer;
            entry.At = time.GetTimestamp();
            _answered.AddLast(entry);
            _bytes += answer.Body.Length + Overhead;
            while (_bytes > capacityBytes)
                Drop(_answered.First!);
        }
    }

    private void Drop(LinkedListNode<Entry> node)
    {
        _answered.Remove(node);
        _entries.Remove(node.Value.Id);
        _bytes -= node.Value.Answer!.Body.Length + Overhead;
    }
}
