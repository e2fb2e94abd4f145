using System.Runtime.InteropServices;
using Slm.V1;

namespace Slm.Inference.Cluster;

/// <summary>Hashes of ever longer beginnings of a prompt, the same on every silo: by them a request finds the replica that has seen it begin.</summary>
internal static class PromptPrefixes
{
    private const int Step = 256;
    private const int Most = 64;
    private const ulong Basis = 14695981039346656037;
    private const ulong Prime = 1099511628211;

    /// <summary>The hashes, the longest beginning last.</summary>
    public static ulong[] Of(GenerateRequest request)
    {
        var hash = Add(Add(Basis, request.Adapter), request.Scheduling?.CacheSalt);
        var hashes = new List<ulong>();
        switch (request.PromptCase)
        {
            case GenerateRequest.PromptOneofCase.Text:
                Cut(MemoryMarshal.AsBytes(request.Text.AsSpan()), ref hash, hashes);
                break;
            case GenerateRequest.PromptOneofCase.TokenIds:
                int[] ids = [.. request.TokenIds.Ids];
                Cut(MemoryMarshal.AsBytes(ids.AsSpan()), ref hash, hashes);
                break;
            case GenerateRequest.PromptOneofCase.Messages:
                foreach (var message in request.Messages.Messages_)
                {
                    hash = Add(hash, message.Role);
                    Cut(MemoryMarshal.AsBytes(message.Content.AsSpan()), ref hash, hashes);
                    hashes.Add(hash);
                }

                break;
        }

        return [.. hashes.Take(Most)];
    }

    private static void Cut(ReadOnlySpan<byte> bytes, ref ulong hash, List<ulong> hashes)
    {
        while (!bytes.IsEmpty && hashes.Count < Most)
        {
            var part = bytes[..Math.Min(Step, bytes.Length)];
            hash = Add(hash, part);
            if (part.Length == Step)
                hashes.Add(hash);
            bytes = bytes[part.Length..];
        }
    }

    private static ulong Add(ulong hash, string? text) => (Add(hash, MemoryMarshal.AsBytes(text.AsSpan())) ^ 0xff) * Prime;

    /// <summary>FNV-1a.</summary>
    private static ulong Add(ulong hash, ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
            hash = (hash ^ value) * Prime;
        return hash;
    }
}
