using Slm.V1;

namespace Slm.Contracts.Grains;

/// <summary>
/// A deployment, keyed by the model's name: where its replicas and their stages are, and which replica a request goes to. It
/// computes nothing, and running answers do not need it: where its silo is lost, another one takes the replicas over.
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

    /// <summary>Key of the replica that a request is to go to. The model is loaded if need be.</summary>
    /// <param name="prefixes">Hashes of ever longer beginnings of the prompt, the longest last: a replica that has seen one has its keys and values.</param>
    [Alias("route"), ResponseTimeout("00:30:00")]
    Task<string> RouteAsync(ulong[] prefixes);

    /// <summary>Tells that a replica did not answer. It is asked again, and replaced if it does not.</summary>
    [Alias("lost"), ResponseTimeout("00:30:00")]
    Task LostAsync(string replica);

    /// <summary>A replica tells that it lives and where its stages are.</summary>
    /// <returns>False if it is not wanted any more.</returns>
    [Alias("keep"), ResponseTimeout("00:00:30")]
    Task<bool> KeepAsync(ReplicaInfo replica);

    /// <summary>Moves what the model has on a silo elsewhere, while answers go on.</summary>
    /// <returns>What moved, in sentences.</returns>
    [Alias("vacate"), ResponseTimeout("00:30:00")]
    Task<string[]> VacateAsync(string silo);

    /// <summary>Places the model anew over the silos there are now, while answers go on.</summary>
    /// <returns>What moved, in sentences.</returns>
    [Alias("rebalance"), ResponseTimeout("00:30:00")]
    Task<string[]> RebalanceAsync();
}
