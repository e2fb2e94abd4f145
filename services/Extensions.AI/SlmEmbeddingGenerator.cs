using Grpc.Core;
using Microsoft.Extensions.AI;
using Slm.V1;

namespace Slm.Extensions.AI;

/// <summary>A model of the platform as an <see cref="IEmbeddingGenerator{TInput, TEmbedding}"/>, over gRPC: vectors of unit length. Thread-safe.</summary>
public sealed class SlmEmbeddingGenerator : IEmbeddingGenerator<string, Embedding<float>>
{
    private readonly InferenceService.InferenceServiceClient _inference;
    private readonly EmbeddingGeneratorMetadata _metadata;

    /// <summary>Makes a generator.</summary>
    /// <param name="channel">A channel to the platform's gRPC address, by default http://127.0.0.1:8081. It stays the caller's.</param>
    /// <param name="model">The model where <see cref="EmbeddingGenerationOptions.ModelId"/> names none.</param>
    public SlmEmbeddingGenerator(ChannelBase channel, string model)
    {
        ArgumentNullException.ThrowIfNull(channel);
        ArgumentException.ThrowIfNullOrEmpty(model);
        _inference = new InferenceService.InferenceServiceClient(channel);
        _metadata = new EmbeddingGeneratorMetadata("slm", null, model);
    }

    /// <inheritdoc/>
    /// <exception cref="RpcException">What the platform refused, with the details of google.rpc.Status.</exception>
    public async Task<GeneratedEmbeddings<Embedding<float>>> GenerateAsync(IEnumerable<string> values, EmbeddingGenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(values);
        var request = new EmbedRequest { Model = options?.ModelId ?? _metadata.DefaultModelId };
        request.Inputs.AddRange(values.Select(text => new EmbedInput { Text = text }));
        if (request.Inputs.Count == 0)
            return [];
        if (options?.Dimensions is { } dimensions)
            request.Dimensions = dimensions;
        var response = await _inference.EmbedAsync(request, cancellationToken: cancellationToken);
        return new(response.Embeddings.Select(e => new Embedding<float>(e.Values.ToArray()) { ModelId = request.Model, CreatedAt = DateTimeOffset.UtcNow }))
        {
            Usage = new UsageDetails { InputTokenCount = response.PromptTokens, TotalTokenCount = response.PromptTokens },
        };
    }

    /// <inheritdoc/>
    public object? GetService(Type serviceType, object? serviceKey = null)
    {
        ArgumentNullException.ThrowIfNull(serviceType);
        return serviceKey is not null ? null : serviceType == typeof(EmbeddingGeneratorMetadata) ? _metadata : serviceType.IsInstanceOfType(this) ? this : null;
    }

    /// <summary>Does nothing: the channel is the caller's.</summary>
    public void Dispose()
    {
    }
}
