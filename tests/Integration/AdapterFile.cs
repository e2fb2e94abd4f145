namespace Slm.Integration;

/// <summary>LoRA adapters of random numbers for a reference model.</summary>
internal static class AdapterFile
{
    /// <summary>The model they are for.</summary>
    public const string Model = "minicpm-f32";

    /// <summary>A copy of the tall model, and the name of its adapter.</summary>
    public const string Tall = "tall-too";

    /// <summary>Writes two adapters of the model and one for another architecture into a folder of adapters.</summary>
    public static void WriteAll(string folder)
    {
        Directory.CreateDirectory(folder);
        RandomAdapter.Write(Path.Combine(folder, "formal.gguf"), ReferenceModel.PathOf(Model), seed: 1);
        RandomAdapter.Write(Path.Combine(folder, "pirate.gguf"), ReferenceModel.PathOf(Model), seed: 2);
        RandomAdapter.Write(Path.Combine(folder, "foreign.gguf"), ReferenceModel.PathOf(Model), seed: 3, architecture: "llama");
    }
}
