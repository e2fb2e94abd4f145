namespace Slm.Runtime;

/// <summary>A conversation was sent to a model whose file has no chat template.</summary>
public sealed class ChatTemplateMissingException(string model) : ArgumentException(
    $"The model {model} has no chat template, so it cannot take messages. Send a text or token ids instead.");
