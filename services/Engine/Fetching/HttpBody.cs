using System.Net;
using System.Net.Http.Headers;

namespace Slm.Engine.Fetching;

/// <summary>An answer whose body is read bit by bit; a pause that is too long ends it.</summary>
internal sealed class HttpBody : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly HttpSourceOptions _options;
    private readonly Stream _stream;

    private HttpBody(HttpResponseMessage response, Stream stream, HttpSourceOptions options)
    {
        _response = response;
        _stream = stream;
        _options = options;
    }

    /// <summary>Status of the answer.</summary>
    public HttpStatusCode Status => _response.StatusCode;

    /// <summary>Kind of the content.</summary>
    public string? MediaType => _response.Content.Headers.ContentType?.MediaType;

    /// <summary>Strong entity tag; a weak one says nothing about bytes.</summary>
    public EntityTagHeaderValue? Tag => _response.Headers.ETag is { IsWeak: false } tag ? tag : null;

    /// <summary>When the file was changed.</summary>
    public DateTimeOffset? Modified => _response.Content.Headers.LastModified;

    /// <summary>First byte, of an answer that is a part.</summary>
    public long? RangeStart => _response.Content.Headers.ContentRange?.From;

    /// <summary>Bytes of the whole file.</summary>
    public long? TotalLength => Status == HttpStatusCode.PartialContent ? _response.Content.Headers.ContentRange?.Length : _response.Content.Headers.ContentLength;

    /// <summary>Sends a request and returns when the head of the answer is there.</summary>
    /// <exception cref="TimeoutException">It does not come in time.</exception>
    public static async Task<HttpBody> SendAsync(HttpClient client, HttpRequestMessage request, HttpSourceOptions options, CancellationToken cancellationToken)
    {
        request.Headers.AcceptEncoding.Add(new StringWithQualityHeaderValue("identity"));
        return await WithinAsync(
            options,
            async token =>
            {
                var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, token).ConfigureAwait(false);
                try
                {
                    return new HttpBody(response, await response.Content.ReadAsStreamAsync(token).ConfigureAwait(false), options);
                }
                catch
                {
                    response.Dispose();
                    throw;
                }
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Throws if the answer is no file.</summary>
    /// <param name="name">What errors call it.</param>
    public void Check(string name)
    {
        if (Status is not (HttpStatusCode.OK or HttpStatusCode.PartialContent))
        {
            var after = _response.Headers.RetryAfter;
            throw new HttpStatusException($"{name}: the server answers {(int)Status} {_response.ReasonPhrase}.", Status, after?.Delta ?? (after?.Date - _options.Time.GetUtcNow()));
        }

        if (_response.Content.Headers.ContentEncoding.Count > 0)
            throw new FetchException($"{name}: the server sends it encoded as {string.Join(", ", _response.Content.Headers.ContentEncoding)}, although it was asked not to.");
    }

    /// <summary>Reads at least one byte.</summary>
    /// <exception cref="EndOfStreamException">The answer ends.</exception>
    public async Task<int> ReadAsync(Memory<byte> target, CancellationToken cancellationToken)
    {
        var read = await ReadSomeAsync(target, cancellationToken).ConfigureAwait(false);
        return read > 0 ? read : throw new EndOfStreamException("the answer ended before all of it was sent.");
    }

    /// <summary>Reads what there is; 0 at the end.</summary>
    public Task<int> ReadSomeAsync(Memory<byte> target, CancellationToken cancellationToken) =>
        WithinAsync(_options, token => _stream.ReadAsync(target, token).AsTask(), cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _response.Dispose();

    private static async Task<T> WithinAsync<T>(HttpSourceOptions options, Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        using var idle = new CancellationTokenSource(options.IdleTimeout, options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(idle.Token, cancellationToken);
        try
        {
            return await work(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"nothing came for {options.IdleTimeout.TotalSeconds:0.#} s.", error);
        }
    }
}
