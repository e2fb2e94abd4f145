using Slm.ServiceDefaults;

namespace Slm.Inference.Engines;

/// <summary>Where weights come from that the model folders lack, section <c>Slm:Inference</c>.</summary>
internal sealed record ModelFilesOptions
{
    private const string Placeholder = "{model}";

    /// <summary><c>WeightCache</c>: folder for the parts of models that were fetched; default <c>weights</c> in the platform's data folder (<c>~/.slm</c>).</summary>
    public required string WeightCache { get; init; }

    /// <summary>
    /// <c>WeightCacheBytes</c>: most bytes of that folder, such as 200GiB; models that were used least recently are deleted from it. Null
    /// (default): no limit.
    /// </summary>
    public long? WeightCacheBytes { get; init; }

    /// <summary><c>WeightUrl</c>: where web servers have models, such as <c>https://models.example.org/{model}.gguf</c>; null (default): nowhere.</summary>
    public string? WeightUrl { get; init; }

    /// <summary>Folder for the hashes of model files: <c>manifests</c> in the platform's data folder.</summary>
    public required string Manifests { get; init; }

    /// <summary>Reads and checks the section.</summary>
    /// <exception cref="OptionException">A value is not usable.</exception>
    public static ModelFilesOptions From(IConfiguration configuration)
    {
        var data = PlatformOptions.From(configuration).Data;
        var section = configuration.GetSection("Slm:Inference");
        var url = section["WeightUrl"] is { Length: > 0 } text ? text : null;
        if (url is not null && (!url.Contains(Placeholder, StringComparison.Ordinal) || !Uri.TryCreate(url.Replace(Placeholder, "m", StringComparison.Ordinal), UriKind.Absolute, out var parsed)
            || (parsed.Scheme != Uri.UriSchemeHttp && parsed.Scheme != Uri.UriSchemeHttps)))
        {
            throw new OptionException("Slm:Inference:WeightUrl", url, $"be an address of a web server with {Placeholder} in it, such as https://models.example.org/{Placeholder}.gguf");
        }

        return new ModelFilesOptions
        {
            WeightCache = section["WeightCache"] is { Length: > 0 } folder ? Path.GetFullPath(folder) : Path.Combine(data, "weights"),
            WeightCacheBytes = ReadBytes(section["WeightCacheBytes"]),
            WeightUrl = url,
            Manifests = Path.Combine(data, "manifests"),
        };
    }

    private static long? ReadBytes(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        return Engine.Execution.ByteSize.TryParse(text, out var bytes) ? bytes : throw new OptionException("Slm:Inference:WeightCacheBytes", text, $"be {Engine.Execution.ByteSize.Rule}");
    }

    /// <summary>Where a web server has a model; null if none is configured.</summary>
    public Uri? UrlOf(string model) => WeightUrl is null ? null : new Uri(WeightUrl.Replace(Placeholder, Uri.EscapeDataString(model), StringComparison.Ordinal));
}
