namespace Slm.Engine.Adapters;

/// <summary>What an adapter adds to one matrix of a stage, laid out for its kernels; all zero where it adds nothing.</summary>
internal unsafe struct LoraFactors
{
    /// <summary>[rank, columns]; of an embedding [vocabulary, rank].</summary>
    public float* A;

    /// <summary>Panels of <see cref="Kernels.LoraProduct.PanelRows"/> rows: for each element of the rank the panel's rows, zero behind the last.</summary>
    public float* B;

    /// <summary>Elements between A and B.</summary>
    public int Rank;

    /// <summary>Factor of the product.</summary>
    public float Scale;
}

/// <summary>Consecutive rows of a product's input that one adapter changes.</summary>
internal unsafe struct LoraSegment
{
    /// <summary>Row of the input.</summary>
    public int First;

    /// <summary>Number of rows.</summary>
    public int Count;

    /// <summary>What the adapter adds.</summary>
    public LoraFactors Factors;

    /// <summary>A·x of each row, [count, rank].</summary>
    public float* Projected;
}
