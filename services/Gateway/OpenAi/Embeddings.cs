using System.Runtime.InteropServices;
using System.Text.Json;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary><c>POST /v1/embeddings</c>.</summary>
internal static class Embeddings
{
    private const int MaxInputs = 2048;

    public static async Task HandleAsync(HttpContext context, JsonElement body, PlatformClients clients)
    {
        var fields = new RequestFields(body);
        var request = new EmbedRequest { Model = fields.RequiredString("model") };
        var format = fields.String("encoding_format") ?? "float";
        if (format is not ("float" or "base64"))
            throw OpenAiException.Invalid("encoding_format", $"'encoding_format' is '{format}'; it must be 'float' or 'base64'.");
        if (fields.Int("dimensions", 1, int.MaxValue) is { } dimensions)
            request.Dimensions = dimensions;
        request.Inputs.AddRange(ReadInputs(fields));
        request.Scheduling = SchedulingFields.Read(fields);
        fields.RefuseUnknown();
        SchedulingFields.Complete(request.Scheduling, context);
        var response = await clients.Answers.EmbedAsync(request, context.RequestAborted);
        var items = response.Embeddings.Select((embedding, i) => new EmbeddingItem("embedding", i, Encode([.. embedding.Values], format))).ToList();
        await context.Response.WriteAsJsonAsync(
            new EmbeddingList("list", items, request.Model, new EmbeddingUsage(response.PromptTokens, response.PromptTokens)),
            WireContext.Shared.EmbeddingList, cancellationToken: context.RequestAborted);
    }

    // base64 is of the little-endian floats.
    private static JsonElement Encode(float[] values, string format) => format == "base64"
        ? JsonSerializer.SerializeToElement(Convert.ToBase64String(MemoryMarshal.AsBytes(values.AsSpan())), WireContext.Shared.String)
        : JsonSerializer.SerializeToElement(values, WireContext.Shared.SingleArray);

    private static List<EmbedInput> ReadInputs(RequestFields fields)
    {
        if (fields.Get("input") is not { } input)
            throw OpenAiException.Invalid("input", "'input' is required.", "missing_required_parameter");
        if (input.ValueKind == JsonValueKind.String)
            return [new EmbedInput { Text = input.GetString() }];
        if (input.ValueKind != JsonValueKind.Array)
            throw fields.Wrong("input", input, "a string, an array of strings, an array of token ids, or an array of such arrays");
        if (input.GetArrayLength() is var count && (count == 0 || input[0].ValueKind != JsonValueKind.Number && count > MaxInputs))
            throw OpenAiException.Invalid("input", $"'input' has {count} entries; it must have 1 to {MaxInputs}.");
        if (input[0].ValueKind == JsonValueKind.Number)
            return [Ids(input, "input")];
        var inputs = new List<EmbedInput>();
        foreach (var element in input.EnumerateArray())
        {
            var path = $"input[{inputs.Count}]";
            inputs.Add(element.ValueKind switch
            {
                JsonValueKind.String => new EmbedInput { Text = element.GetString() },
                JsonValueKind.Array => Ids(element, path),
                _ => throw fields.Wrong(path, element, "a string or an array of token ids"),
            });
        }
        return inputs;
    }

    private static EmbedInput Ids(JsonElement array, string path)
    {
        var ids = new TokenIds();
        ids.Ids.AddRange(RequestFields.ReadIds(array, path));
        return new EmbedInput { TokenIds = ids };
    }
}
