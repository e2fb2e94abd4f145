using System.Collections.Concurrent;
using Slm.Engine.Fetching;

namespace Slm.Engine.Tests.Fetching;

/// <summary>A source that has a file in memory and does as the test says.</summary>
internal sealed class MemorySource(byte[] content, string name = "memory") : IChunkSource
{
    private readonly ConcurrentQueue<long> _reads = new();

    public string Name => name;

    public int MaxReads { get; init; } = 4;

    /// <summary>Positions that were asked for.</summary>
    public IReadOnlyCollection<long> Reads => _reads;

    /// <summary>Runs before the bytes are given.</summary>
    public Func<long, CancellationToken, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>Changes the bytes that are given.</summary>
    public Action<long, Memory<byte>> Change { get; set; } = (_, _) => { };

    public async Task ReadAsync(string file, long position, Memory<byte> target, CancellationToken cancellationToken)
    {
        _reads.Enqueue(position);
        await Before(position, cancellationToken);
        if (position + target.Length > content.Length)
            throw new FetchException($"{name} ends at {content.Length}.");
        content.AsMemory((int)position, target.Length).CopyTo(target);
        Change(position, target);
    }
}
