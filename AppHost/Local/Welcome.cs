using Slm.Runtime;
using Slm.ServiceDefaults;

namespace Slm.AppHost.Local;

/// <summary>What a newcomer sees: where the platform listens, which models it found, and what to try.</summary>
internal static class Welcome
{
    public static void Print(WebApplication app, TextWriter output)
    {
        var options = app.Services.GetRequiredService<PlatformOptions>();
        var catalog = app.Services.GetRequiredService<ModelCatalog>();
        var http = Callable(options.Http[0]);
        var grpc = Callable(options.Grpc[0]);
        var models = catalog.List();
        output.WriteLine();
        output.WriteLine("SlmPlatform is ready.");
        output.WriteLine($"  Web page and OpenAI API   {http}   (also /health, /metrics)");
        output.WriteLine($"  gRPC (h2c, reflection)    {grpc}");
        output.WriteLine(models.Count == 0
            ? $"  Models                    none yet: put a .gguf file into {catalog.Folders[^1]}"
            : $"  Models                    {string.Join(", ", models.Select(m => $"{m.Name} ({Size(m.FileBytes)})"))}");
        if (models.Count > 0)
        {
            var model = models.FirstOrDefault(m => m.Name == "stories")?.Name ?? models[0].Name;
            output.WriteLine();
            output.WriteLine("Try:");
            output.WriteLine($"  curl {http}/v1/completions -H 'Content-Type: application/json' -d '{{\"model\":\"{model}\",\"prompt\":\"Once upon a time\",\"temperature\":0.4,\"max_tokens\":60}}'");
            output.WriteLine($"  grpcurl -plaintext -d '{{\"model\":\"{model}\",\"text\":\"Once upon a time\",\"sampling\":{{\"temperature\":0.4,\"max_tokens\":60}}}}' {grpc["http://".Length..]} slm.v1.InferenceService/Generate");
            output.WriteLine($"  dotnet run -c Release --project services/Cli -- chat --model {model} --endpoint {grpc}");
        }
        output.WriteLine();
        output.WriteLine("Ctrl+C ends it.");
    }

    private static string Callable(ListenAddress address) =>
        address.Address is null || address.Address.Equals(System.Net.IPAddress.Any) || address.Address.Equals(System.Net.IPAddress.IPv6Any)
            ? $"http://127.0.0.1:{address.Port}"
            : address.ToString();

    private static string Size(long bytes) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{bytes / 1048576.0:0.0} MiB");
}
