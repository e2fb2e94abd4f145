using System.Buffers;
using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Engine.Fetching;

namespace Slm.Cli.Commands;

/// <summary><c>slm pull</c>: a model file from a web server into the model folder.</summary>
internal static class PullCommand
{
    private const string Extension = ".gguf";

    private const int MaxNameLength = 200;

    private static readonly SearchValues<char> Forbidden = SearchValues.Create("/\\:*?\"<>|");

    public static Command Create()
    {
        var url = new Argument<Uri>("url") { Description = "Address of a GGUF file.", HelpName = "URL", CustomParser = ParseUrl };
        var name = new Option<string?>("--name") { Description = "What the model is to be called; default the name in the address.", HelpName = "NAME" };
        var sha256 = new Option<string?>("--sha256") { Description = "What the SHA-256 of the file has to be; a file with another one is not kept.", HelpName = "HEX", CustomParser = ParseHash };
        var (threads, json) = (CommonOptions.Threads(), CommonOptions.Json());
        var command = new Command("pull", "Fetches a model into the model folder. What broke off goes on where it was, and what arrives is checked.") { url, name, sha256, threads, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var address = result.GetRequiredValue(url);
            var model = NameOf(address, result.GetValue(name));
            var path = Path.Combine(DataFolder.Models, model + Extension);
            var count = result.GetValue(threads) ?? Environment.ProcessorCount;
            var store = DataFolder.Manifests(count);

            // Pauses are limited by the source; a large file takes as long as it takes.
            using var client = new HttpClient(new SocketsHttpHandler()) { Timeout = Timeout.InfiniteTimeSpan };
            using var source = new HttpSource(client, address);
            if (File.Exists(path))
                return await CheckAsync(source, store, path, model, result.GetValue(sha256), result.GetValue(json), cancellationToken);
            var download = await ProgressBar.RunAsync(model, progress => ModelDownload.RunAsync(
                source, path, result.GetValue(sha256), count, new ProgressBar.Counted<FetchProgress>(progress, p => (double)p.Done / p.All), hashing: null, cancellationToken));
            store.Put(path, download.Manifest);
            Write(model, path, download.Manifest, download.FetchedBytes, download.HadManifest, result.GetValue(json));
            return 0;
        });
        return command;
    }

    /// <summary>A model of that name is there: fine if it is the one that was asked for.</summary>
    private static async Task<int> CheckAsync(HttpSource source, ManifestStore store, string path, string model, string? sha256, bool json, CancellationToken cancellationToken)
    {
        var expected = sha256 ?? (await source.ManifestAsync(cancellationToken))?.Files[0].Sha256
            ?? throw new CliException($"--name: '{path}' exists, and there is neither --sha256 nor a manifest on the server to tell if it is the same file. Give another --name, or delete it.");
        var there = await store.GetAsync(path, progress: null, cancellationToken);
        if (there.Files[0].Sha256 != expected)
            throw new CliException($"--name: '{path}' exists and is another file: its SHA-256 is {there.Files[0].Sha256}, and that of the one asked for {expected}. Give another --name, or delete it.");
        Write(model, path, there, fetched: 0, hadManifest: sha256 is null, json);
        return 0;
    }

    private static void Write(string model, string path, ModelManifest manifest, long fetched, bool hadManifest, bool json)
    {
        var file = manifest.Files[0];
        if (!json)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{model}: {Quantity.Bytes(file.Length)}, {(fetched == 0 ? "which were there" : $"{Quantity.Bytes(fetched)} of them fetched now")}"));
            Console.WriteLine($"path    {path}");
            Console.WriteLine($"sha256  {file.Sha256}");
            Console.WriteLine($"root    {manifest.Root}");
            return;
        }

        JsonOutput.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("model", model);
            writer.WriteString("path", path);
            writer.WriteNumber("bytes", file.Length);
            writer.WriteNumber("fetched_bytes", fetched);
            writer.WriteString("sha256", file.Sha256);
            writer.WriteString("root", manifest.Root);
            writer.WriteBoolean("server_manifest", hadManifest);
            writer.WriteEndObject();
        });
    }

    private static string NameOf(Uri url, string? name)
    {
        var model = name ?? Path.GetFileNameWithoutExtension(Uri.UnescapeDataString(url.Segments[^1]));
        if (model.Length is 0 or > MaxNameLength || model[0] == '.' || model.AsSpan().ContainsAny(Forbidden) || model.Any(char.IsControl))
        {
            throw new UsageException(name is null ? $"url: '{url}' has no name for the model in it. Give one with --name."
                : $"--name: '{name}' cannot be the name of a model. Give one of 1 to {MaxNameLength} characters without / \\ : * ? \" < > | that does not start with a dot.");
        }

        return model;
    }

    private static Uri? ParseUrl(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps))
            return url;
        result.AddError($"url: '{text}' is no address of a web server. Give one that begins with http:// or https://.");
        return null;
    }

    private static string? ParseHash(ArgumentResult result)
    {
        var text = result.Tokens[0].Value.ToLowerInvariant();
        if (text.Length == 64 && text.All(char.IsAsciiHexDigitLower))
            return text;
        result.AddError($"--sha256: '{result.Tokens[0].Value}' is no SHA-256. Give its 64 hexadecimal digits.");
        return null;
    }
}
