using System.Collections.Concurrent;
using Slm.Router.Policies;

namespace Slm.Router.Signals;

/// <summary>What each model is doing for this router, and which prompts it has seen begin.</summary>
internal sealed class ModelLoad
{
    private const int Step = 256;
    private const int MostPrefixes = 4096;

    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    /// <summary>Requests at work with a model.</summary>
    public int Of(ModelReference model) => _entries.TryGetValue(model.ToString(), out var entry) ? entry.Running : 0;

    /// <summary>Share of a prompt, in steps of 256 characters, that the model has seen before as a beginning.</summary>
    public double Locality(ModelReference model, string prompt)
    {
        if (prompt.Length < Step || !_entries.TryGetValue(model.ToString(), out var entry))
            return 0;
        lock (entry)
        {
            var known = 0;
            foreach (var hash in Hashes(prompt))
            {
                if (!entry.Prefixes.Contains(hash))
                    break;
                known += Step;
            }

            return (double)known / prompt.Length;
        }
    }

    /// <summary>Counts a request until what is returned is disposed.</summary>
    public IDisposable Begin(ModelReference model, string prompt)
    {
        var entry = _entries.GetOrAdd(model.ToString(), _ => new Entry());
        lock (entry)
        {
            entry.Running++;
            foreach (var hash in Hashes(prompt))
            {
                if (!entry.Prefixes.Add(hash))
                    continue;
                entry.Order.Enqueue(hash);
                if (entry.Order.Count > MostPrefixes)
                    entry.Prefixes.Remove(entry.Order.Dequeue());
            }
        }

        return new Running(entry);
    }

    private static IEnumerable<ulong> Hashes(string prompt)
    {
        var hash = 14695981039346656037UL;
        for (var i = 0; i < prompt.Length; i++)
        {
            hash = (hash ^ prompt[i]) * 1099511628211UL;
            if ((i + 1) % Step == 0)
                yield return hash;
        }
    }

    private sealed class Entry
    {
        public int Running { get; set; }

        public HashSet<ulong> Prefixes { get; } = [];

        public Queue<ulong> Order { get; } = [];
    }

    private sealed class Running(Entry entry) : IDisposable
    {
        private bool _ended;

        public void Dispose()
        {
            lock (entry)
            {
                if (!_ended)
                    entry.Running--;
                _ended = true;
            }
        }
    }
}
