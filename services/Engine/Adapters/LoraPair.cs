namespace Slm.Engine.Adapters;

/// <summary>
/// The change of one weight matrix: W + scale · B·A. A is [rank, columns] and B [rows, rank], for each expert. Of an embedding
/// A holds a row of rank elements per token instead, as llama.cpp writes it, unless it is transposed.
/// </summary>
internal sealed record LoraPair
{
    /// <summary>Name of the matrix in the model, such as <c>blk.0.attn_q.weight</c>.</summary>
    public required string Tensor { get; init; }

    public required LoraFactor A { get; init; }

    public required LoraFactor B { get; init; }

    public required int Rank { get; init; }

    /// <summary>Outputs of the matrix (of each expert); of an embedding the width of its rows.</summary>
    public required int Rows { get; init; }

    /// <summary>Inputs of the matrix; of an embedding the vocabulary.</summary>
    public required int Columns { get; init; }

    public required float Scale { get; init; }

    /// <summary>Number of matrices that the tensor holds.</summary>
    public int Experts { get; init; } = 1;

    /// <summary>The rows of the matrix are looked up and not multiplied.</summary>
    public bool IsEmbedding { get; init; }

    /// <summary>A of an embedding is [rank, vocabulary], as PEFT has it.</summary>
    public bool Transposed { get; init; }

    /// <summary>Elements of both matrices.</summary>
    public long Elements => (A.Rows * A.Columns) + (B.Rows * B.Columns);
}
