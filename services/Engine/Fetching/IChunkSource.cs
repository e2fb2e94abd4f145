namespace Slm.Engine.Fetching;

/// <summary>Somewhere that has a model's files and sends parts of them. What it sends is checked by whoever asked.</summary>
public interface IChunkSource
{
    /// <summary>What errors call it: an address.</summary>
    string Name { get; }

    /// <summary>Most calls of <see cref="ReadAsync"/> at a time that are of use.</summary>
    int MaxReads { get; }

    /// <summary>Fills <paramref name="target"/> with bytes of a file.</summary>
    /// <param name="file">Its name in the manifest.</param>
    /// <param name="position">First byte.</param>
    /// <param name="target">Room for as many bytes as are wanted.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="FetchException">The source does not have them, has changed, or does not answer.</exception>
    Task ReadAsync(string file, long position, Memory<byte> target, CancellationToken cancellationToken);
}
