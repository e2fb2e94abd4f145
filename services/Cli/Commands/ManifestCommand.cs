using System.CommandLine;
using System.Globalization;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Engine.Fetching;

namespace Slm.Cli.Commands;

/// <summary><c>slm manifest</c>: the hashes by which copies of a model are recognised, and parts of it checked.</summary>
internal static class ManifestCommand
{
    public static Command Create()
    {
        var input = new Argument<string>("input") { Description = "Path of a GGUF file or of a Hugging Face folder, or the name of a model in the model folders.", HelpName = "FILE|NAME" };
        var output = new Option<string?>("--output", "-o")
        {
            Description = $"Where to write the manifest as well; on a web server FILE{HttpSource.ManifestSuffix} beside FILE has 'slm pull' check every part.",
            HelpName = "FILE",
        };
        var (threads, json) = (CommonOptions.Threads(), CommonOptions.Json());
        var command = new Command("manifest", "Computes the hashes of a model's files and of their parts.") { input, output, threads, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            var path = ModelArgument.Resolve(result.GetRequiredValue(input), "input");
            var count = result.GetValue(threads) ?? Environment.ProcessorCount;
            var manifest = await ProgressBar.RunAsync("hashing", progress => Task.Run(
                () => ManifestBuilder.Compute(path, count, new ProgressBar.Counted<FetchProgress>(progress, p => (double)p.Done / p.All), cancellationToken), cancellationToken));
            DataFolder.Manifests(count).Put(path, manifest);
            if (result.GetValue(output) is { } target)
                await File.WriteAllBytesAsync(target, manifest.ToJson(), cancellationToken);
            if (result.GetValue(json))
            {
                JsonOutput.Write(manifest.Write);
                return 0;
            }

            Console.WriteLine($"root    {manifest.Root}");
            foreach (var file in manifest.Files)
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"sha256  {file.Sha256}  {file.Name}  {Quantity.Bytes(file.Length)} in {file.ChunkCount} chunks"));
            return 0;
        });
        return command;
    }
}
