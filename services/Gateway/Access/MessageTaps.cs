using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;
using Slm.V1;

namespace Slm.Gateway.Access;

/// <summary>
/// Reads the usage out of answers that go through the gateway as bytes: gRPC's length-prefixed messages, or one JSON document.
/// </summary>
internal static class MessageTaps
{
    private static readonly JsonParser Json = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    private static readonly (string Grpc, string Verb, MessageParser Parser, Func<string, IMessage> FromJson)[] Answers =
    [
        ("/slm.v1.InferenceService/Generate", "", GenerateResponse.Parser, Json.Parse<GenerateResponse>),
        ("/slm.v1.InferenceService/GenerateOnce", ":generate", GenerateOnceResponse.Parser, Json.Parse<GenerateOnceResponse>),
        ("/slm.v1.InferenceService/Embed", ":embed", EmbedResponse.Parser, Json.Parse<EmbedResponse>),
        ("/slm.v1.InferenceService/Score", ":score", ScoreResponse.Parser, Json.Parse<ScoreResponse>),
    ];

    /// <summary>Whether a call's answer is read where it leaves the gateway.</summary>
    public static bool Reads(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        return Answers.Any(a => path == a.Grpc || (a.Verb.Length > 0 && path.StartsWith("/v1/inference/", StringComparison.OrdinalIgnoreCase) && path.EndsWith(a.Verb, StringComparison.Ordinal)));
    }

    /// <summary>The tap for a call; null if its answer reports no usage, or it is one that the gateway makes itself.</summary>
    public static IResponseTap? Of(HttpContext context, UsageMeter meter)
    {
        var path = context.Request.Path.Value ?? "";
        foreach (var (grpc, verb, parser, fromJson) in Answers)
        {
            if (path == grpc)
                return new GrpcTap(parser, meter);
            if (verb.Length > 0 && path.StartsWith("/v1/inference/", StringComparison.OrdinalIgnoreCase) && path.EndsWith(verb, StringComparison.Ordinal))
                return new JsonTap(context, fromJson, meter);
        }

        return null;
    }

    private sealed class GrpcTap(MessageParser parser, UsageMeter meter) : IResponseTap
    {
        /// <summary>One byte that says whether it is compressed, four with the length.</summary>
        private const int Prefix = 5;

        private readonly MeteredStream _stream = new(meter, countsPrompt: true, resumed: 0);
        private byte[] _bytes = new byte[1024];
        private int _count;

        public void OnWrite(ReadOnlySpan<byte> bytes)
        {
            if (_count + bytes.Length > _bytes.Length)
                Array.Resize(ref _bytes, Math.Max(2 * _bytes.Length, _count + bytes.Length));
            bytes.CopyTo(_bytes.AsSpan(_count));
            _count += bytes.Length;
            var start = 0;
            while (_count - start >= Prefix && BinaryPrimitives.ReadInt32BigEndian(_bytes.AsSpan(start + 1)) is var length && _count - start - Prefix >= length)
            {
                Take(_bytes.AsSpan(start + Prefix, length));
                start += Prefix + length;
            }

            _bytes.AsSpan(start, _count - start).CopyTo(_bytes);
            _count -= start;
        }

        private void Take(ReadOnlySpan<byte> message)
        {
            var answer = parser.ParseFrom(message);
            if (answer is GenerateResponse piece)
                _stream.Take(piece);
            else if (UsageInterceptor.UsageOf(answer) is var (prompt, completion))
                meter.Add(prompt, completion);
        }
    }

    private sealed class JsonTap(HttpContext context, Func<string, IMessage> parse, UsageMeter meter) : IResponseTap
    {
        private readonly ArrayBufferWriter<byte> _bytes = new();

        public void OnWrite(ReadOnlySpan<byte> bytes) => _bytes.Write(bytes);

        public void OnEnd()
        {
            if (context.Response.StatusCode != StatusCodes.Status200OK)
                return;
            if (UsageInterceptor.UsageOf(parse(System.Text.Encoding.UTF8.GetString(_bytes.WrittenSpan))) is var (prompt, completion))
                meter.Add(prompt, completion);
        }
    }
}
