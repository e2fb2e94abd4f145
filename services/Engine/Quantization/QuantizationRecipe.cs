using System.Collections.Frozen;
using Slm.Engine.Formats;

namespace Slm.Engine.Quantization;

/// <summary>
/// A quantization as users name it: a type for most matrices, and rules that give some of them another. The names, numbers
/// and rules are those of llama.cpp, so that a file is laid out as its users expect.
/// </summary>
/// <param name="Name">Such as "Q4_K_M".</param>
/// <param name="FileType">The number in <c>general.file_type</c>.</param>
/// <param name="Type">Type of most matrices.</param>
public sealed record QuantizationRecipe(string Name, uint FileType, TensorType Type)
{
    private static readonly QuantizationRecipe[] Known =
    [
        new("F32", 0, TensorType.F32), new("F16", 1, TensorType.F16), new("BF16", 32, TensorType.BF16),
        new("Q8_0", 7, TensorType.Q8_0), new("Q6_K", 18, TensorType.Q6_K),
        new("Q5_K_M", 17, TensorType.Q5_K), new("Q5_K_S", 16, TensorType.Q5_K), new("Q5_1", 9, TensorType.Q5_1), new("Q5_0", 8, TensorType.Q5_0),
        new("Q4_K_M", 15, TensorType.Q4_K), new("Q4_K_S", 14, TensorType.Q4_K), new("IQ4_NL", 25, TensorType.IQ4_NL), new("Q4_1", 3, TensorType.Q4_1), new("Q4_0", 2, TensorType.Q4_0),
        new("Q3_K_L", 13, TensorType.Q3_K), new("Q3_K_M", 12, TensorType.Q3_K), new("Q3_K_S", 11, TensorType.Q3_K),
        new("Q2_K", 10, TensorType.Q2_K), new("Q2_K_S", 21, TensorType.Q2_K),
    ];

    private static readonly FrozenDictionary<string, QuantizationRecipe> ByName = Known
        .Concat([Known.Single(r => r.Name == "Q3_K_M") with { Name = "Q3_K" }, Known.Single(r => r.Name == "Q4_K_M") with { Name = "Q4_K" }, Known.Single(r => r.Name == "Q5_K_M") with { Name = "Q5_K" }])
        .ToFrozenDictionary(r => r.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>All recipes, the largest files first; Q3_K, Q4_K and Q5_K are other names of their M recipes.</summary>
    public static IReadOnlyList<QuantizationRecipe> All => Known;

    /// <summary>Finds a recipe by its name in any case.</summary>
    public static bool TryGet(string name, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out QuantizationRecipe? recipe) => ByName.TryGetValue(name, out recipe);

    /// <summary>The types that tensors can be written in.</summary>
    public static IReadOnlyCollection<TensorType> TensorTypes => RowQuantizer.Supported;
}
