using Microsoft.AspNetCore.Http.Features;

namespace Slm.Gateway.Access;

/// <summary>Sees the bytes of an answer as they are sent.</summary>
internal interface IResponseTap
{
    /// <summary>The next bytes, before they are sent.</summary>
    void OnWrite(ReadOnlySpan<byte> bytes);

    /// <summary>The answer is whole.</summary>
    void OnEnd()
    {
    }
}

/// <summary>Puts taps before the body of an answer.</summary>
internal static class ResponseTaps
{
    /// <summary>Runs the rest of the pipeline with taps.</summary>
    public static async Task RunAsync(HttpContext context, IReadOnlyList<IResponseTap> taps, RequestDelegate next)
    {
        var original = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        await using var stream = new TapStream(original.Stream, taps);
        var body = new StreamResponseBodyFeature(stream, original);
        context.Features.Set<IHttpResponseBodyFeature>(body);
        try
        {
            await next(context);
            await body.CompleteAsync();
            foreach (var tap in taps)
                tap.OnEnd();
        }
        finally
        {
            body.Dispose();
            context.Features.Set(original);
        }
    }

    private sealed class TapStream(Stream inner, IReadOnlyList<IResponseTap> taps) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush() => inner.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            Show(buffer);
            inner.Write(buffer);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Show(buffer.Span);
            return inner.WriteAsync(buffer, cancellationToken);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        private void Show(ReadOnlySpan<byte> bytes)
        {
            foreach (var tap in taps)
                tap.OnWrite(bytes);
        }
    }
}

/// <summary>Ends an answer that is larger than allowed.</summary>
internal sealed class ResponseLimit(long most) : IResponseTap
{
    private long _sent;

    public void OnWrite(ReadOnlySpan<byte> bytes)
    {
        _sent += bytes.Length;
        if (_sent > most)
            throw new ResponseTooLargeException(most);
    }
}

/// <summary>An answer is larger than allowed.</summary>
internal sealed class ResponseTooLargeException(long most)
    : IOException($"The answer is larger than {most} bytes, which the setting Slm:Access:MaxResponseBytes allows. Ask for less, such as fewer tokens, choices or log-probabilities.");
