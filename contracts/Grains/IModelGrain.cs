using Slm.V1;

namespace Slm.Contracts.Grains;

/// <summary>
/// A deployment, keyed by the model's name. It owns the placement of the stages, the admission of requests and their batch.
/// A model that is only available is loaded by the first call that needs it. Calls fail with <see cref="StatusException"/>.
/// </summary>
[Alias("slm.model")]
public interface IModelGrain : IGrainWithStringKey
{
    /// <summary>State and figures of the file.</summary>
    [Alias("get")]
    Task<Payload<Model>> GetAsync();

    /// <summary>Everything known, without loading.</summary>
    [Alias("describe")]
    Task<Payload<ModelDescription>> DescribeAsync();

    /// <summary>Loads the model; one that is loaded the same way is returned as it is.</summary>
    [Alias("load"), ResponseTimeout("00:30:00")]
    Task<Payload<Model>> LoadAsync(Payload<LoadModelRequest> request);

    /// <summary>Lets running requests end, then frees the memory.</summary>
    [Alias("unload"), ResponseTimeout("00:30:00")]
    Task<Payload<Model>> UnloadAsync();

    /// <summary>Loads an adapter with the model, which is loaded if need be.</summary>
    [Alias("load-adapter"), ResponseTimeout("00:30:00")]
    Task<Payload<Adapter>> LoadAdapterAsync(Payload<LoadAdapterRequest> request);

    /// <summary>Lets the requests that use an adapter end, then frees its memory.</summary>
    [Alias("unload-adapter"), ResponseTimeout("00:30:00")]
    Task<Payload<Adapter>> UnloadAdapterAsync(Payload<UnloadAdapterRequest> request);

    /// <summary>Continues a prompt. Ending the enumeration frees its place in the batch.</summary>
    [Alias("generate"), ResponseTimeout("00:30:00")]
    IAsyncEnumerable<Payload<GenerateResponse>> GenerateAsync(Payload<GenerateRequest> request, CancellationToken cancellationToken);

    /// <summary>Log-probabilities of a given continuation.</summary>
    [Alias("score"), ResponseTimeout("00:30:00")]
    Task<Payload<ScoreResponse>> ScoreAsync(Payload<ScoreRequest> request, CancellationToken cancellationToken);

    /// <summary>One vector per input.</summary>
    [Alias("embed"), ResponseTimeout("00:30:00")]
    Task<Payload<EmbedResponse>> EmbedAsync(Payload<EmbedRequest> request, CancellationToken cancellationToken);
}
