using System.Text.Json;
using Slm.Engine.Formats;

namespace Slm.Tokenization.Tests;

/// <summary>The "tokenize" fields of the reference models, recorded from llama.cpp.</summary>
public sealed class ReferenceGgufTests
{
    public static TheoryData<string> Files => new(Directory.GetFiles(Repository.Folder("tests", "data", "gguf"), "*.json").Select(f => Path.GetFileNameWithoutExtension(f)!).Order());

    [Theory]
    [MemberData(nameof(Files))]
    public void Ids_are_those_of_llama_cpp(string name)
    {
        using var file = GgufFile.Open(Repository.Folder("tests", "data", "gguf", name + ".gguf"));
        var t = TokenizerLoader.FromGguf(file.Metadata);
        using var json = JsonDocument.Parse(File.ReadAllText(Repository.Folder("tests", "data", "gguf", name + ".json")));
        Assert.Equal(json.RootElement.GetProperty("vocab_size").GetInt32(), t.VocabSize);
        var cases = json.RootElement.GetProperty("tokenize").EnumerateArray().ToArray();
        Assert.NotEmpty(cases);
        foreach (var c in cases)
        {
            var text = c.GetProperty("text").GetString()!;
            var e = t.Encode(text, addSpecialTokens: false);
            Assert.Equal(c.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()), e.Ids);
            Assert.Equal(text, t.Decode(e.Ids));
            var stream = new StreamingTextDecoder(t);
            Assert.Equal(text, string.Concat(e.Ids.Select(stream.Append)) + stream.Flush());
        }
    }
}
