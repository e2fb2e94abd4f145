using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Slm.Gateway.OpenAi;

/// <summary>Server-sent events as OpenAI clients read them: <c>data: {json}</c>; names of events only where the API has them.</summary>
internal sealed class EventStream(HttpResponse response)
{
    private static readonly byte[] Prefix = "data: "u8.ToArray();
    private static readonly byte[] Suffix = "\n\n"u8.ToArray();

    public async Task SendAsync<T>(T document, JsonTypeInfo<T> type, CancellationToken cancellationToken, string? name = null)
    {
        if (!response.HasStarted)
        {
            response.ContentType = "text/event-stream; charset=utf-8";
            response.Headers.CacheControl = "no-cache";
            response.Headers["X-Accel-Buffering"] = "no";
        }
        var body = response.BodyWriter;
        if (name is not null)
            body.Write(Encoding.UTF8.GetBytes($"event: {name}\n"));
        body.Write(Prefix);
        using (var json = new Utf8JsonWriter(body, new JsonWriterOptions { Encoder = type.Options.Encoder }))
            JsonSerializer.Serialize(json, document, type);
        body.Write(Suffix);
        await body.FlushAsync(cancellationToken);
    }

    public async Task DoneAsync(CancellationToken cancellationToken)
    {
        response.BodyWriter.Write("data: [DONE]\n\n"u8);
        await response.BodyWriter.FlushAsync(cancellationToken);
    }
}
