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
