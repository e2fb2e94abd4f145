using Slm.Engine.Formats;

namespace Slm.Engine.HuggingFace;

/// <summary>How a folder's embeddings are pooled, by <c>1_Pooling/config.json</c> of sentence-transformers.</summary>
internal static class SentencePooling
{
    /// <summary>The file, relative to the folder.</summary>
    public const string Name = "1_Pooling/config.json";

    /// <summary>Adds <c>{architecture}.pooling_type</c>: 1 mean, 2 first token, 3 last token.</summary>
    /// <exception cref="ModelFormatException">The file is malformed.</exception>
    public static void Add(string folder, Dictionary<string, object> metadata)
    {
        if (!File.Exists(Path.Combine(folder, Name)))
            return;
        var config = FolderConfig.Read(folder, Name);
        var kind = config.Flag("pooling_mode_cls_token") is true ? 2u : config.Flag("pooling_mode_lasttoken") is true ? 3u
            : config.Flag("pooling_mode_mean_tokens") is true ? 1u : 0u;
        if (kind > 0)
            metadata[$"{metadata["general.architecture"]}.pooling_type"] = kind;
    }
}
