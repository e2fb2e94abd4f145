using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Slm.Gateway.OpenAi;
using Slm.ServiceDefaults;

namespace Slm.Gateway.Access.Idempotency;

/// <summary>
/// The header Idempotency-Key on POST: a request that is sent again with the same key gets the first one's answer and is not carried out
/// again; another request with it is refused with 422, and one that comes while the first is at work with 409
/// (draft-ietf-httpapi-idempotency-key-header). Only answers of success are kept: what failed may be tried again.
/// </summary>
internal sealed class IdempotencyMiddleware(RequestDelegate next, IdempotentAnswers answers, PlatformOptions platform)
{
    private const string Header = "Idempotency-Key";
    private const int LongestKey = 255;

    private static readonly string[] KeptHeaders = ["Content-Type", "Cache-Control"];

    public async Task InvokeAsync(HttpContext context)
    {
        if (!HttpMethods.IsPost(context.Request.Method) || !context.Request.Headers.TryGetValue(Header, out var values) || GrpcRefusal.IsGrpc(context.Request)
            || context.Features.Get<Caller>() is not { } caller)
        {
            await next(context);
            return;
        }

        var key = values.Count == 1 ? values.ToString() : "";
        if (key.Length is 0 or > LongestKey)
            throw OpenAiException.Invalid(Header, $"The header {Header} must be given once and have 1 to {LongestKey} characters.");
        var (state, answer) = answers.Claim(caller.Name, key, await FingerprintAsync(context.Request, context.RequestAborted));
        switch (state)
        {
            case KeyState.Running:
                throw new OpenAiException(
                    StatusCodes.Status409Conflict, "invalid_request_error", $"The first request with this {Header} is still at work. Try again later.", Header, "idempotency_conflict", TimeSpan.FromSeconds(1));
            case KeyState.Different:
                throw new OpenAiException(
                    StatusCodes.Status422UnprocessableEntity, "invalid_request_error", $"This {Header} came with another request before. Use a new one for every request.", Header, "idempotency_key_reused");
            case KeyState.Answered:
                await RepeatAsync(context, answer!);
                break;
            default:
                await FirstAsync(context, caller.Name, key);
                break;
        }
    }

    private async Task FirstAsync(HttpContext context, string caller, string key)
    {
        KeptAnswer? kept = null;
        try
        {
            var copy = new Copy();
            await ResponseTaps.RunAsync(context, [copy], next);
            if (context.Response.StatusCode is >= 200 and < 300 && copy.IsWhole && !context.RequestAborted.IsCancellationRequested)
            {
                kept = new KeptAnswer(
                    context.Response.StatusCode,
                    [.. KeptHeaders.Where(context.Response.Headers.ContainsKey).Select(h => KeyValuePair.Create(h, context.Response.Headers[h].ToString()))],
                    copy.Bytes);
            }
        }
        finally
        {
            answers.Settle(caller, key, kept);
        }
    }

    private static async Task RepeatAsync(HttpContext context, KeptAnswer answer)
    {
        context.Response.StatusCode = answer.Status;
        foreach (var (name, value) in answer.Headers)
            context.Response.Headers[name] = value;
        context.Response.Headers["Idempotent-Replayed"] = "true";
        context.Response.ContentLength = answer.Body.Length;
        await context.Response.Body.WriteAsync(answer.Body, context.RequestAborted);
    }

    /// <summary>Hash of path, query and body; the body can be read again afterwards.</summary>
    private async Task<string> FingerprintAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        // All in memory: no content is left on the disk.
        request.EnableBuffering(bufferThreshold: platform.MaxRequestBytes);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes($"{request.Path}{request.QueryString}\n"));
        var buffer = new byte[16 * 1024];
        int count;
        while ((count = await request.Body.ReadAsync(buffer, cancellationToken)) > 0)
            hash.AppendData(buffer, 0, count);
        request.Body.Position = 0;
        return Convert.ToHexString(hash.GetHashAndReset());
    }

    private sealed class Copy : IResponseTap
    {
        private readonly ArrayBufferWriter<byte> _bytes = new();

        public bool IsWhole { get; private set; }

        public byte[] Bytes => _bytes.WrittenSpan.ToArray();

        public void OnWrite(ReadOnlySpan<byte> bytes) => _bytes.Write(bytes);

        public void OnEnd() => IsWhole = true;
    }
}
