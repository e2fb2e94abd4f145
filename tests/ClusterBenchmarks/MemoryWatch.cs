using System.Globalization;
using Slm.Cluster.Tests;

namespace Slm.ClusterBenchmarks;

/// <summary>Memory and threads of the silos' processes at several times.</summary>
internal sealed class MemoryWatch(SiloCluster cluster)
{
    private readonly List<Dictionary<string, (long Bytes, int Threads)>> _notes = [];

    /// <summary>Notes what they are now.</summary>
    public void Note() => _notes.Add(cluster.Silos.ToDictionary(s => s.Key, s => (s.Value.WorkingSet, s.Value.Threads), StringComparer.Ordinal));

    /// <summary>Prints the first and the last note. Most processes are other ones by then.</summary>
    public void Print()
    {
        Console.WriteLine("| silo | MiB before | after | threads before | after |");
        Console.WriteLine("|---|---|---|---|---|");
        foreach (var (name, last) in _notes[^1])
        {
            var first = _notes[0][name];
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {first.Bytes >> 20} | {last.Bytes >> 20} | {first.Threads} | {last.Threads} |"));
        }
    }
}
