using System.Buffers.Binary;
using Slm.Training.Native;
using TorchSharp;

namespace Slm.Training.Tests;

public sealed class TorchNativeTests
{
    private static string Library => TorchNative.FindNative("libLibTorchSharp.so") ?? throw new FileNotFoundException("libLibTorchSharp.so");

    [Fact]
    public void Torch_loads_and_computes_on_this_system()
    {
        using var sum = torch.tensor([1f, 2f, 3f]).sum();
        Assert.Equal(6f, sum.item<float>());
    }

    [Fact]
    public void Patch_sets_the_weak_flag_of_the_one_requirement_and_nothing_else()
    {
        var before = File.ReadAllBytes(Library);
        var after = (byte[])before.Clone();
        Assert.Equal(1, SymbolVersionPatch.MakeWeak(after, "GLIBCXX_3.4.32"));
        var changed = Enumerable.Range(0, before.Length).Where(i => before[i] != after[i]).ToArray();
        var at = Assert.Single(changed);
        Assert.Equal((0, 2), (before[at], after[at]));
        // Before the flags stands the hash of the version's name (System V ELF hash).
        Assert.Equal(ElfHash("GLIBCXX_3.4.32"), BinaryPrimitives.ReadUInt32LittleEndian(before.AsSpan(at - 4)));
    }

    [Fact]
    public void Library_that_does_not_ask_for_the_version_stays_as_it_is()
    {
        var bytes = File.ReadAllBytes(Library);
        var copy = (byte[])bytes.Clone();
        Assert.Equal(0, SymbolVersionPatch.MakeWeak(copy, "GLIBCXX_9.9.9"));
        Assert.Equal(bytes, copy);
    }

    [Fact]
    public void Files_that_are_not_libraries_are_refused()
    {
        Assert.Throws<InvalidDataException>(() => SymbolVersionPatch.MakeWeak(new byte[10], "X"));
        Assert.Throws<InvalidDataException>(() => SymbolVersionPatch.MakeWeak(File.ReadAllBytes(Library).AsSpan(0, 4096), "X"));
    }

    [Fact]
    public void Patched_copy_is_made_once_for_a_content()
    {
        using var folder = new TemporaryFolder();
        var path = TorchNative.PatchedCopy(Library, folder.Path);
        var written = File.GetLastWriteTimeUtc(path);
        Assert.Equal(path, TorchNative.PatchedCopy(Library, folder.Path));
        Assert.Equal(written, File.GetLastWriteTimeUtc(path));
        Assert.Single(Directory.GetFiles(folder.Path, "*", SearchOption.AllDirectories));
    }

    private static uint ElfHash(string name)
    {
        uint hash = 0;
        foreach (var c in name)
        {
            hash = (hash << 4) + c;
            var high = hash & 0xf0000000;
            hash = (hash ^ (high >> 24)) & ~high;
        }

        return hash;
    }
}
