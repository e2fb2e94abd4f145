namespace Slm.Tokenization;

/// <summary>What services need beside ids.</summary>
public sealed record TokenizerInfo
{
    public static TokenizerInfo Empty { get; } = new();

    /// <summary>Kind of model: "bpe", "spm", "unigram", "wordpiece", "wordlevel"; empty when unknown.</summary>
    public string Model { get; init; } = "";

    public string? BosText { get; init; }

    public string? EosText { get; init; }

    public string? PadText { get; init; }

    public string? UnkText { get; init; }

    /// <summary>Jinja sources by name; the one the model uses by itself is named "default".</summary>
    public IReadOnlyDictionary<string, string> ChatTemplates { get; init; } = new Dictionary<string, string>();

    /// <summary>The template named "default", if there is one.</summary>
    public string? ChatTemplate => ChatTemplates.GetValueOrDefault("default");
}
