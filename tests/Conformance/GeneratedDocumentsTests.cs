using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using Grpc.Net.Client;
using Slm.V1;

namespace Slm.Conformance;

/// <summary>The shipped model, which has read nothing but stories, writes documents of schemas of MaskBench; ajv says whether they are valid.</summary>
public sealed class GeneratedDocumentsTests(Platform platform)
{
    private const int Schemas = 120;
    private const int LongestSchema = 3000;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_document_that_ends_by_itself_is_valid()
    {
        using var channel = GrpcChannel.ForAddress(platform.Grpc);
        var client = new InferenceService.InferenceServiceClient(channel);
        var documents = new JsonArray();
        var gate = new Lock();
        await Parallel.ForEachAsync(Read(), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancelled }, async (file, cancelled) =>
        {
            var constraint = new Constraint { JsonSchema = file.Schema, JsonForm = new JsonForm { MaxWhitespace = 2, PlainStrings = file.Name.Length % 2 == 0 } };
            GenerateOnceResponse answer;
            try
            {
                answer = await client.GenerateOnceAsync(
                    new GenerateRequest
                    {
                        Model = Platform.Model,
                        Text = "Once upon a time",
                        Sampling = new SamplingOptions { Temperature = 1, Seed = (ulong)file.Name.Length, MaxTokens = 400 },
                        Constraint = constraint,
                    },
                    cancellationToken: cancelled);
            }
            catch (RpcException refused) when (refused.StatusCode == StatusCode.InvalidArgument)
            {
                // Some ask for what cannot be enforced, and one for what cannot be.
                return;
            }

            if (answer.FinishReason != FinishReason.Stop)
                return;
            lock (gate)
                documents.Add(new JsonObject { ["name"] = file.Name, ["schema"] = JsonNode.Parse(file.Schema), ["text"] = answer.Text });
        });
        Assert.True(documents.Count >= Schemas / 3, $"Only {documents.Count} documents came to an end.");
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(path, documents.ToJsonString(), Cancelled);
            await NodeClients.RunAsync(platform, "validate.mjs", "every_document_is_valid", Cancelled, ("SLM_DOCUMENTS", path));
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Schemas that ajv reads without further packages, and whose patterns mean the same to it.</summary>
    private static IEnumerable<(string Name, string Schema)> Read()
    {
        using var file = File.OpenRead(Path.Combine(Platform.Root, "tests", "data", "json-schema", "maskbench-quarter.tar.gz"));
        using var unzipped = new GZipStream(file, CompressionMode.Decompress);
        using var tar = new TarReader(unzipped);
        var (taken, seen) = (0, 0);
        while (tar.GetNextEntry() is { } entry && taken < Schemas)
        {
            if (entry.DataStream is not { } data || !entry.Name.EndsWith(".json", StringComparison.Ordinal))
                continue;
            using var json = JsonDocument.Parse(data);
            var schema = json.RootElement.GetProperty("schema").GetRawText();
            if (seen++ % 11 != 0 || schema.Length > LongestSchema || schema.Contains("draft-0", StringComparison.Ordinal) && !schema.Contains("draft-07", StringComparison.Ordinal))
                continue;
            taken++;
            yield return (Path.GetFileNameWithoutExtension(entry.Name), schema);
        }
    }
}
