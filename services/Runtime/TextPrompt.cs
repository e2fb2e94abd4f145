using Slm.Tokenization.Templates;

namespace Slm.Runtime;

/// <summary>What a model is to continue: a text, token ids, or a conversation.</summary>
public abstract record TextPrompt
{
    private TextPrompt()
    {
    }

    /// <summary>Plain text; special tokens written in it are ordinary text.</summary>
    /// <param name="Value">The text.</param>
    /// <param name="AddSpecialTokens">Put what the model wants before a prompt (BOS) before it.</param>
    public sealed record Text(string Value, bool AddSpecialTokens = true) : TextPrompt;

    /// <summary>Token ids, taken as they are.</summary>
    public sealed record Tokens(IReadOnlyList<int> Ids) : TextPrompt;

    /// <summary>A conversation, rendered by the model's own chat template.</summary>
    /// <param name="Turns">The messages, oldest first.</param>
    public sealed record Chat(IReadOnlyList<ChatTurn> Turns) : TextPrompt
    {
        /// <summary>Open the assistant's turn at the end.</summary>
        public bool AddGenerationPrompt { get; init; } = true;

        /// <summary>Functions the model may call.</summary>
        public IReadOnlyList<ToolSpec> Tools { get; init; } = [];

        /// <summary>Further variables of the template.</summary>
        public IReadOnlyDictionary<string, object?> Variables { get; init; } = new Dictionary<string, object?>();
    }
}

/// <summary>A prompt as the model gets it.</summary>
/// <param name="Text">The text given, or the chat template's rendering, or the decoded ids.</param>
/// <param name="Ids">Token ids.</param>
public sealed record EncodedPrompt(string Text, int[] Ids);
