namespace Slm.Runtime.Tests;

public sealed class ModelCatalogTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("slm-catalog").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Models_are_found_by_name_and_the_first_folder_wins()
    {
        var first = Folder("first", "tiny.gguf", "notes.txt");
        var second = Folder("second", "tiny.gguf", "other.model.gguf");
        var catalog = new ModelCatalog([first, Path.Combine(_root, "missing"), second]);
        Assert.Equal(["other.model", "tiny"], catalog.List().Select(e => e.Name));
        Assert.Equal(Path.Combine(first, "tiny.gguf"), catalog.Find("tiny").Path);
        Assert.Equal("tiny.gguf".Length, catalog.Find("tiny").FileBytes);
        File.WriteAllText(Path.Combine(second, "new.gguf"), "");
        Assert.Equal("new", catalog.Find("new").Name);
    }

    [Fact]
    public void Folders_with_a_configuration_and_weights_are_models()
    {
        var root = Folder("models", "tiny.gguf", "config.json", "model.safetensors");
        Folder("models/Model-0.6B", "config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "README.md");
        Folder("models/tokenizer", "config.json", "tokenizer.json");
        Folder("models/weights", "model.safetensors");
        Folder("models/tiny", "config.json", "model.safetensors");
        var catalog = new ModelCatalog([root]);
        Assert.Equal(["Model-0.6B", "tiny"], catalog.List().Select(e => e.Name));
        Assert.Equal(Path.Combine(root, "Model-0.6B"), catalog.Find("Model-0.6B").Path);
        Assert.Equal(2 * "model-00001-of-00002.safetensors".Length, catalog.Find("Model-0.6B").FileBytes);
        Assert.Equal(Path.Combine(root, "tiny.gguf"), catalog.Find("tiny").Path);
    }

    [Fact]
    public void An_unknown_name_is_answered_with_the_known_ones()
    {
        var error = Assert.Throws<ModelNotFoundException>(() => new ModelCatalog([Folder("a", "x.gguf", "y.gguf")]).Find("z"));
        Assert.Equal(["x", "y"], error.Known);
        Assert.Contains("x, y", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../secret")]
    [InlineData("sub/../../secret")]
    [InlineData("secret.gguf")]
    [InlineData("")]
    [InlineData("*")]
    [InlineData("TINY")]
    public void A_name_never_becomes_a_path(string name)
    {
        var folder = Folder("models", "tiny.gguf");
        File.WriteAllText(Path.Combine(_root, "secret.gguf"), "");
        Assert.Throws<ModelNotFoundException>(() => new ModelCatalog([folder]).Find(name));
        Assert.Throws<ModelNotFoundException>(() => new ModelCatalog([folder]).Find(Path.Combine(_root, "secret")));
    }

    private string Folder(string name, params string[] files)
    {
        var folder = Directory.CreateDirectory(Path.Combine(_root, name)).FullName;
        foreach (var file in files)
            File.WriteAllText(Path.Combine(folder, file), file);
        return folder;
    }
}
