using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;
using Slm.ServiceDefaults.Errors;

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
        var isGrpc = GrpcRefusal.IsGrpc(context.Request);
        var body = new Body(stream, original, isGrpc);
        context.Features.Set<IHttpResponseBodyFeature>(body);
        try
        {
            await next(context);

            // A gRPC call that brings only a status sends it with its headers, which then end the answer.
            if (!isGrpc || body.IsStarted)
                await body.CompleteAsync();
            foreach (var tap in taps)
                tap.OnEnd();
        }
        catch (RpcException error) when (isGrpc && context.Features.Get<IHttpResponseTrailersFeature>() is { } trailers)
        {
            // The whole answer had been made when a tap refused to let it go.
            trailers.Trailers["grpc-status"] = ((int)error.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture);
            trailers.Trailers["grpc-message"] = Uri.EscapeDataString(error.Status.Detail);
        }
        finally
        {
            body.Dispose();
            context.Features.Set(original);
        }
    }

    /// <summary>
    /// Headers go with the first bytes: until then an answer can still become an error. Not so with gRPC, which has its status behind the
    /// answer only if that has been started.
    /// </summary>
    private sealed class Body(Stream stream, IHttpResponseBodyFeature original, bool isGrpc) : StreamResponseBodyFeature(stream, original)
    {
        public bool IsStarted { get; private set; }

        public override Task StartAsync(CancellationToken cancellationToken = default)
        {
            IsStarted = true;
            return isGrpc ? base.StartAsync(cancellationToken) : Task.CompletedTask;
        }
    }

    private sealed class TapStream(Stream inner, IReadOnlyList<IResponseTap> taps) : Stream
    {
        private bool _refused;

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
            if (Show(buffer))
                inner.Write(buffer);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            return Show(buffer.Span) ? inner.WriteAsync(buffer, cancellationToken) : ValueTask.CompletedTask;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        /// <summary>False once a tap has refused: what is left in buffers goes nowhere.</summary>
        private bool Show(ReadOnlySpan<byte> bytes)
        {
            if (_refused)
                return false;
            _refused = true;
            foreach (var tap in taps)
                tap.OnWrite(bytes);
            _refused = false;
            return true;
        }
    }
}

/// <summary>Ends an answer that is larger than allowed.</summary>
/// <param name="most">Bytes.</param>
/// <param name="isGrpc">gRPC writes answers behind its interceptors, and knows only its own exception there.</param>
internal sealed class ResponseLimit(long most, bool isGrpc) : IResponseTap
{
    private long _sent;

    public void OnWrite(ReadOnlySpan<byte> bytes)
    {
        _sent += bytes.Length;
        if (_sent <= most)
            return;
        var error = new ResponseTooLargeException(most);
        throw isGrpc ? ErrorMap.Make(Google.Rpc.Code.ResourceExhausted, error.Message, ErrorMap.Info("RESPONSE_TOO_LARGE")).ToRpcException() : (Exception)error;
    }
}

/// <summary>An answer is larger than allowed.</summary>
internal sealed class ResponseTooLargeException(long most)
    : IOException($"The answer is larger than {most} bytes, which the setting Slm:Access:MaxResponseBytes allows. Ask for less, such as fewer tokens, choices or log-probabilities.");
