namespace Slm.Engine.Planning;

/// <summary>A step whose cost is asked for.</summary>
/// <param name="Tokens">Tokens that go through the layers.</param>
/// <param name="Rows">Rows of logits that are wanted.</param>
/// <param name="Sequences">Sequences that the tokens belong to.</param>
/// <param name="Seen">Positions that a token attends to, on average.</param>
/// <param name="Prefills">Whether the text is read, which is when the layers of an encoder work.</param>
internal readonly record struct StepLoad(int Tokens, int Rows, int Sequences, double Seen, bool Prefills)
{
    /// <summary>One token of each of some sequences that hold <paramref name="context"/> positions.</summary>
    public static StepLoad Decode(int sequences, int context) => new(sequences, sequences, sequences, context, Prefills: false);

    /// <summary>Tokens of one prompt behind others of it; a token sees those before it and itself.</summary>
    public static StepLoad Prefill(int tokens, int before) => new(tokens, 1, 1, before + ((tokens + 1) / 2.0), Prefills: true);
}
