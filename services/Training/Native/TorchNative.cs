using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Loader;
using System.Security.Cryptography;

namespace Slm.Training.Native;

/// <summary>
/// Lets TorchSharp load on systems whose libstdc++ is older than GCC 13 (Debian 12, for example).
/// </summary>
/// <remarks>
/// <c>libLibTorchSharp.so</c> requires the symbol version GLIBCXX_3.4.32. The only symbol that carries it is
/// <c>std::ios_base_library_init</c>, an anchor nothing calls. Where the system lacks the version the loader refuses
/// the library; the runtime then raises <see cref="AssemblyLoadContext.ResolvingUnmanagedDll"/>, and only then a copy
/// with the requirement made weak (<see cref="SymbolVersionPatch"/>) is written to a cache folder and loaded.
/// Newer systems never get here.
/// </remarks>
internal static class TorchNative
{
    private const string Library = "LibTorchSharp";
    private const string MissingVersion = "GLIBCXX_3.4.32";
    private static readonly Lock Gate = new();
    private static nint Handle;

    /// <summary>True when the patched copy was needed and loaded in this process.</summary>
    public static bool PatchApplied => Handle != 0;

    /// <summary>Registers the fallback; runs before anything of this assembly does.</summary>
#pragma warning disable CA2255 // A module initializer is the one place that precedes every use of TorchSharp.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Register()
    {
        if (OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64)
            AssemblyLoadContext.Default.ResolvingUnmanagedDll += (_, name) => name == Library ? LoadPatched() : 0;
    }

    private static nint LoadPatched()
    {
        lock (Gate)
        {
            if (Handle != 0)
                return Handle;
            var source = FindNative($"lib{Library}.so");
            if (source is null)
                return 0;
            // The copy lies elsewhere, so its own dependencies must be in the process already.
            var folder = Path.GetDirectoryName(source)!;
            foreach (var dependency in (string[])["libc10.so", "libtorch_cpu.so", "libtorch.so"])
                NativeLibrary.Load(Path.Combine(folder, dependency));
            return Handle = NativeLibrary.Load(PatchedCopy(source, CacheFolder()));
        }
    }

    /// <summary>Writes the patched copy of a library, once per content, and returns its path.</summary>
    /// <exception cref="InvalidDataException">The library does not require the version, so this patch cannot help.</exception>
    internal static string PatchedCopy(string source, string cacheFolder)
    {
        var bytes = File.ReadAllBytes(source);
        var target = Path.Combine(cacheFolder, Convert.ToHexStringLower(SHA256.HashData(bytes))[..16], Path.GetFileName(source));
        if (SymbolVersionPatch.MakeWeak(bytes, MissingVersion) == 0)
            throw new InvalidDataException($"{source} does not require {MissingVersion}; it failed to load for another reason.");
        if (!File.Exists(target) || new FileInfo(target).Length != bytes.Length)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            var temporary = $"{target}.{Environment.ProcessId}.tmp";
            File.WriteAllBytes(temporary, bytes);
            File.Move(temporary, target, overwrite: true);
        }

        return target;
    }

    /// <summary>Path of a native library of this application, or null.</summary>
    internal static string? FindNative(string fileName)
    {
        var folders = new List<string> { AppContext.BaseDirectory, Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native") };
        if (AppContext.GetData("NATIVE_DLL_SEARCH_DIRECTORIES") is string searched)
            folders.AddRange(searched.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries));
        return folders.Select(f => Path.Combine(f, fileName)).FirstOrDefault(File.Exists);
    }

    private static string CacheFolder()
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (string.IsNullOrEmpty(cache))
            cache = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        return Path.Combine(cache, "slm", "native");
    }
}
