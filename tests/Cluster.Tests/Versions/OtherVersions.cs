using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Slm.Cluster.Tests.Versions;

/// <summary>Programs of silos of other versions than this checkout's, built here.</summary>
internal static partial class OtherVersions
{
    private const string Configuration = "Release";

    /// <summary>
    /// This silo with the contracts of a version to come: every record that travels has a field more, which is always set, and every
    /// grain a method more. The rest of the program is the very same.
    /// </summary>
    /// <param name="folder">Where it is made; the folder with the program is in it.</param>
    public static async Task<string> NextAsync(string folder, CancellationToken cancellationToken)
    {
        var contracts = Path.Combine(folder, "contracts");
        var original = Path.Combine(Checkout.Root, "contracts");
        foreach (var file in Directory.EnumerateFiles(original, "*", SearchOption.AllDirectories))
        {
            var relative = Path.GetRelativePath(original, file);
            if (relative.Split(Path.DirectorySeparatorChar)[0] is not ("bin" or "obj"))
                await CopyAsync(file, Path.Combine(contracts, relative));
        }

        foreach (var name in new[] { "Directory.Build.props", "Directory.Packages.props", "global.json" })
            File.Copy(Path.Combine(Checkout.Root, name), Path.Combine(folder, name));
        await BuildAsync(contracts, cancellationToken);
        var program = Path.Combine(folder, "program");
        Directory.CreateDirectory(program);
        foreach (var file in Directory.EnumerateFiles(AppContext.BaseDirectory))
            File.Copy(file, Path.Combine(program, Path.GetFileName(file)));
        File.Copy(Path.Combine(contracts, "bin", Configuration, "net10.0", "Slm.Contracts.dll"), Path.Combine(program, "Slm.Contracts.dll"), overwrite: true);
        return program;
    }

    private static async Task CopyAsync(string from, string to)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(to)!);
        var text = await File.ReadAllTextAsync(from);
        if (from.EndsWith(".cs", StringComparison.Ordinal))
        {
            const string Field = "[Id(1000)]\n    public string? OfTheNextVersion { get; init; } = \"next\";";
            var (travelling, grains) = (Travelling().Count(text), GrainInterfaces().Count(text));
            text = WithBody().Replace(text, $"$1\n    {Field}\n");
            text = WithoutBody().Replace(text, $"$1\n{{\n    {Field}\n}}");
            text = GrainInterfaces().Replace(text, "$1\n    [Alias(\"of-the-next-version\")]\n    Task<int> OfTheNextVersionAsync() => Task.FromResult(1);\n");
            Assert.True(travelling == Added().Count(text) && grains == AddedMethods().Count(text), $"{from} is not written as the other contracts are.");
        }

        await File.WriteAllTextAsync(to, text);
    }

    private static Task<string> BuildAsync(string project, CancellationToken cancellationToken) => RunAsync(
        project, ["dotnet", "build", "-c", Configuration, "-v", "quiet", "--nologo", "-p:TreatWarningsAsErrors=false", "-p:RunAnalyzers=false", "--disable-build-servers"], cancellationToken);

    /// <summary>Runs a program to its end and returns what it wrote.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    private static async Task<string> RunAsync(string folder, string[] command, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        var text = (await output).Trim();
        return process.ExitCode == 0 ? text : throw new InvalidOperationException($"{string.Join(' ', command)} ended with {process.ExitCode}: {text}\n{await error}");
    }

    /// <summary>Records and classes that travel. Exceptions have fields of their base class; structs stand in for other types.</summary>
    [GeneratedRegex(@"^\[GenerateSerializer.*\]\npublic sealed (?:record|class) (?!\w+Exception)", RegexOptions.Multiline)]
    private static partial Regex Travelling();

    [GeneratedRegex(@"(^\[GenerateSerializer.*\]\npublic sealed (?:record|class) (?!\w+Exception)[^;{]*\n\{)", RegexOptions.Multiline)]
    private static partial Regex WithBody();

    [GeneratedRegex(@"(^\[GenerateSerializer.*\]\npublic sealed record [^;{]*\));", RegexOptions.Multiline)]
    private static partial Regex WithoutBody();

    [GeneratedRegex(@"(^public interface I\w+ : IGrainWith\w+\n\{)", RegexOptions.Multiline)]
    private static partial Regex GrainInterfaces();

    [GeneratedRegex(@"OfTheNextVersion \{")]
    private static partial Regex Added();

    [GeneratedRegex(@"OfTheNextVersionAsync")]
    private static partial Regex AddedMethods();
}
