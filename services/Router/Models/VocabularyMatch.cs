using System.Collections.Concurrent;
using Grpc.Core;
using Slm.Router.Policies;
using Slm.V1;

namespace Slm.Router.Models;

/// <summary>Whether the tokens of one model mean the same to another, by the hashes of their vocabularies.</summary>
internal sealed class VocabularyMatch(TokenizerService.TokenizerServiceClient tokenizers, TimeProvider time)
{
    /// <summary>A model's file may be replaced.</summary>
    private static readonly TimeSpan Trusted = TimeSpan.FromMinutes(1);

    private readonly ConcurrentDictionary<string, (string Hash, long At)> _hashes = new(StringComparer.Ordinal);

    /// <summary>True if both are models of the platform with the same vocabulary. What cannot be asked is not the same.</summary>
    public async ValueTask<bool> IsSameAsync(ModelReference first, ModelReference second, CancellationToken cancellationToken)
    {
        if (first.Endpoint is not null || second.Endpoint is not null)
            return false;
        var hash = await HashAsync(first.Model, cancellationToken);
        return hash.Length > 0 && hash == await HashAsync(second.Model, cancellationToken);
    }

    private async ValueTask<string> HashAsync(string model, CancellationToken cancellationToken)
    {
        // An adapter leaves the vocabulary as it is.
        var name = model.Split(':')[0];
        if (_hashes.TryGetValue(name, out var known) && time.GetElapsedTime(known.At) < Trusted)
            return known.Hash;
        try
        {
            var info = await tokenizers.GetTokenizerInfoAsync(new GetTokenizerInfoRequest { Model = name }, cancellationToken: cancellationToken);
            _hashes[name] = (info.VocabularyHash, time.GetTimestamp());
            return info.VocabularyHash;
        }
        catch (RpcException) when (!cancellationToken.IsCancellationRequested)
        {
            return "";
        }
    }
}
