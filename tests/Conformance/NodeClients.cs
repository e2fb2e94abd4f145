using System.Diagnostics;

namespace Slm.Conformance;

/// <summary>Runs the Node clients in <c>clients/</c>; their packages are installed once, on first use.</summary>
internal static class NodeClients
{
    private static readonly Lazy<Task<string?>> Installed = new(InstallAsync);

    private static string Folder { get; } = Path.Combine(Platform.Root, "tests", "Conformance", "clients");

    /// <summary>Names of the checks a client file has, read from the file: one theory row each.</summary>
    public static IEnumerable<TheoryDataRow<string>> Checks(string file) => File.ReadLines(Path.Combine(Folder, file))
        .Where(line => line.StartsWith("  async ", StringComparison.Ordinal) && line.EndsWith("() {", StringComparison.Ordinal))
        .Select(line => new TheoryDataRow<string>(line["  async ".Length..line.IndexOf('(', StringComparison.Ordinal)]));

    /// <summary>Runs one check and fails with what the client printed.</summary>
    public static async Task RunAsync(Platform platform, string file, string check, CancellationToken cancellationToken, params (string Name, string Value)[] environment)
    {
        if (await Installed.Value is { } reason)
            Assert.Skip(reason);
        var (code, output) = await ExecuteAsync("node", [file, check],
            [("SLM_HTTP", platform.Http), ("SLM_GRPC", platform.Grpc), ("SLM_MODEL", Platform.Model), .. environment], cancellationToken);
        Assert.True(code == 0, output);
    }

    private static async Task<string?> InstallAsync()
    {
        try
        {
            await ExecuteAsync("node", ["--version"], [], CancellationToken.None);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "Node.js is not installed.";
        }
        var (code, output) = await ExecuteAsync("npm", ["install", "--no-audit", "--no-fund", "--no-package-lock"], [], CancellationToken.None);
        return code == 0 ? null : throw new InvalidOperationException($"npm install failed:\n{output}");
    }

    private static async Task<(int Code, string Output)> ExecuteAsync(string command, string[] arguments, (string Name, string Value)[] environment, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(command, arguments) { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start)!;
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
            var error = process.StandardError.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return (process.ExitCode, await output + await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }
}
