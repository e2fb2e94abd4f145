using Slm.Engine.Fetching;
using Slm.Inference.Engines;
using Slm.ServiceDefaults;

namespace Slm.Inference;

/// <summary>Registration of what finds and fetches model files.</summary>
internal static class ModelFilesExtensions
{
    /// <summary>Adds <see cref="ModelFiles"/> and what it and its grain need, beside a model catalog.</summary>
    /// <exception cref="OptionException">A setting is not usable.</exception>
    public static IServiceCollection AddModelFiles(this IServiceCollection services, IConfiguration configuration)
    {
        var options = ModelFilesOptions.From(configuration);
        var threads = InferenceOptions.From(configuration).Threads;
        services.AddSingleton(options);
        services.AddSingleton(_ => new ManifestStore(options.Manifests, threads));
        services.AddSingleton(_ => new ModelFetcher(options.WeightCache, options.WeightCacheBytes));
        services.AddSingleton<ModelFiles>();
        return services;
    }
}
