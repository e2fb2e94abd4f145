using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Slm.Engine.Formats;

namespace Slm.Engine.Fetching;

/// <summary>
/// A model file on a web server (RFC 9110). Parts are asked for with Range, and with If-Range, so that a file that changes meanwhile is
/// noticed; a server that knows no ranges is read from the start to the end. Errors that may pass are tried again, later each time,
/// and a part that breaks off is continued where it did.
/// </summary>
public sealed class HttpSource : IChunkSource, IDisposable
{
    /// <summary>What the address of a manifest has behind that of its file.</summary>
    public const string ManifestSuffix = ".manifest.json";

    private readonly HttpClient _client;
    private readonly HttpSourceOptions _options;
    private readonly SemaphoreSlim _opening = new(1);
    private readonly SemaphoreSlim _sequence = new(1);
    private HttpFile? _file;
    private HttpBody? _body;
    private long _bodyPosition;

    /// <summary>A source for the file at an address.</summary>
    /// <param name="client">Sends the requests; must not decompress.</param>
    /// <param name="url">The file.</param>
    /// <param name="options">Its patience.</param>
    public HttpSource(HttpClient client, Uri url, HttpSourceOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(url);
        if (!url.IsAbsoluteUri || (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps))
            throw new ArgumentException($"'{url}' is no address of a web server. Give one that begins with http:// or https://.", nameof(url));
        _client = client;
        _options = options ?? new HttpSourceOptions();
        Url = url;
    }

    /// <summary>Address of the file.</summary>
    public Uri Url { get; }

    /// <summary>The address without what may be secret in it.</summary>
    public string Name => Url.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped);

    /// <inheritdoc/>
    public int MaxReads => _file is { HasRanges: false } ? 1 : _options.MaxReads;

    /// <summary>Asks what the file is; it has to stay that from then on.</summary>
    /// <exception cref="FetchException">There is no such file, or the server does not answer.</exception>
    public async Task<HttpFile> OpenAsync(CancellationToken cancellationToken)
    {
        await _opening.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return _file ??= await RetryAsync(ProbeAsync, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _opening.Release();
        }
    }

    /// <summary>The manifest beside the file; null if there is none.</summary>
    /// <exception cref="ModelFormatException">What is there is malformed.</exception>
    /// <exception cref="FetchException">The server does not answer.</exception>
    public async Task<ModelManifest?> ManifestAsync(CancellationToken cancellationToken)
    {
        var address = new UriBuilder(Url);
        address.Path += ManifestSuffix;
        var bytes = await RetryAsync(token => ReadManifestAsync(address.Uri, token), cancellationToken).ConfigureAwait(false);
        return bytes is null ? null : ModelManifest.Parse(bytes, Name + ManifestSuffix);
    }

    /// <inheritdoc/>
    public async Task ReadAsync(string file, long position, Memory<byte> target, CancellationToken cancellationToken)
    {
        var known = await OpenAsync(cancellationToken).ConfigureAwait(false);
        if (position + target.Length > known.Length)
            throw new FetchException(string.Create(CultureInfo.InvariantCulture, $"{Name} has {known.Length} bytes; bytes {position} to {position + target.Length} were to be read. It is another file than the manifest's."));
        if (known.HasRanges)
            await ReadRangeAsync(known, position, target, cancellationToken).ConfigureAwait(false);
        else
            await ReadInSequenceAsync(known, position, target, cancellationToken).ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _body?.Dispose();
        _opening.Dispose();
        _sequence.Dispose();
    }

    private async Task ReadRangeAsync(HttpFile known, long position, Memory<byte> target, CancellationToken cancellationToken)
    {
        var done = 0;
        await RetryAsync(
            async token =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, Url);
                request.Headers.Range = new RangeHeaderValue(position + done, position + target.Length - 1);
                request.Headers.IfRange = known.Condition;
                using var body = await SendAsync(request, token).ConfigureAwait(false);
                if (body.Status != HttpStatusCode.PartialContent || body.RangeStart != position + done)
                    throw Changed(known, "it is sent as a whole where a part was asked for");
                CheckSame(known, body);
                while (done < target.Length)
                    done += await body.ReadAsync(target[done..], token).ConfigureAwait(false);
                return true;
            },
            cancellationToken,
            () => done).ConfigureAwait(false);
    }

    private async Task ReadInSequenceAsync(HttpFile known, long position, Memory<byte> target, CancellationToken cancellationToken)
    {
        await _sequence.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await RetryAsync(
                async token =>
                {
                    try
                    {
                        if (_body is null || _bodyPosition > position)
                            await RestartAsync(known, token).ConfigureAwait(false);
                        while (_bodyPosition < position)
                            _bodyPosition += await _body!.ReadAsync(target[..(int)Math.Min(target.Length, position - _bodyPosition)], token).ConfigureAwait(false);
                        while (_bodyPosition < position + target.Length)
                            _bodyPosition += await _body!.ReadAsync(target[(int)(_bodyPosition - position)..], token).ConfigureAwait(false);
                        return true;
                    }
                    catch
                    {
                        _body?.Dispose();
                        _body = null;
                        throw;
                    }
                },
                cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _sequence.Release();
        }
    }

    private async Task RestartAsync(HttpFile known, CancellationToken cancellationToken)
    {
        _body?.Dispose();
        using var request = new HttpRequestMessage(HttpMethod.Get, Url);
        _body = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        _bodyPosition = 0;
        CheckSame(known, _body);
    }

    private async Task<HttpFile> ProbeAsync(CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Url);
        request.Headers.Range = new RangeHeaderValue(0, 0);
        using var body = await SendAsync(request, cancellationToken).ConfigureAwait(false);
        var length = body.TotalLength ?? throw new FetchException($"{Name}: the server does not say how long the file is.");
        return length > 0 ? new HttpFile(Url, length, body.Tag, body.Modified, body.Status == HttpStatusCode.PartialContent) : throw new FetchException($"{Name}: the file is empty.");
    }

    private async Task<byte[]?> ReadManifestAsync(Uri address, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        using var body = await HttpBody.SendAsync(_client, request, _options, cancellationToken).ConfigureAwait(false);

        // Some servers answer with a page instead of an error.
        if (body.Status is HttpStatusCode.NotFound or HttpStatusCode.Gone or HttpStatusCode.Forbidden || body.MediaType == "text/html")
            return null;
        body.Check(Name + ManifestSuffix);
        using var buffer = new MemoryStream();
        var part = new byte[1 << 16];
        for (var read = await body.ReadSomeAsync(part, cancellationToken).ConfigureAwait(false); read > 0; read = await body.ReadSomeAsync(part, cancellationToken).ConfigureAwait(false))
        {
            buffer.Write(part, 0, read);
            if (buffer.Length > ManifestReader.MaxBytes)
                throw new FetchException($"{Name}{ManifestSuffix}: the manifest is longer than {ManifestReader.MaxBytes} bytes.");
        }

        return buffer.ToArray();
    }

    private async Task<HttpBody> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var body = await HttpBody.SendAsync(_client, request, _options, cancellationToken).ConfigureAwait(false);
        try
        {
            body.Check(Name);
            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    private void CheckSame(HttpFile known, HttpBody body)
    {
        if (body.TotalLength is { } length && length != known.Length)
            throw Changed(known, string.Create(CultureInfo.InvariantCulture, $"it has {length} bytes now"));
        if (!Equals(body.Tag, known.Tag))
            throw Changed(known, $"its entity tag was {known.Tag?.ToString() ?? "none"} and is {body.Tag?.ToString() ?? "none"}");
        if (known.Tag is null && body.Modified != known.Modified)
            throw Changed(known, string.Create(CultureInfo.InvariantCulture, $"it was modified at {body.Modified:u}"));
    }

    private FetchException Changed(HttpFile known, string how) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{Name} is no longer the file of {known.Length} bytes that the transfer began with: {how}. Start again."));

    /// <summary>Tries until it succeeds, or fails too often in a row without a byte of progress.</summary>
    private async Task<T> RetryAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken, Func<int>? progress = null)
    {
        var delay = _options.FirstDelay;
        var before = 0;
        for (var attempt = 1; ; attempt++)
        {
            Exception error;
            TimeSpan? asked = null;
            try
            {
                return await work(cancellationToken).ConfigureAwait(false);
            }
            catch (HttpStatusException e)
            {
                if (!e.MayPass)
                    throw e.Status == HttpStatusCode.RequestedRangeNotSatisfiable && _file is { } known ? Changed(known, "it is shorter now") : new FetchException(e.Message, e);
                (error, asked) = (e, e.RetryAfter);
            }
            catch (Exception e) when (e is HttpRequestException or TimeoutException or (IOException and not FetchException))
            {
                error = e;
            }

            if (progress?.Invoke() is { } now && now > before)
                (before, attempt, delay) = (now, 0, _options.FirstDelay);
            if (attempt >= _options.Attempts)
                throw new FetchException(string.Create(CultureInfo.InvariantCulture, $"{Name}: {attempt} tries have failed, the last one with: {error.Message}"), error);
            var pause = asked > delay ? asked.Value : delay;
            await Task.Delay(pause < _options.MaxDelay ? pause : _options.MaxDelay, _options.Time, cancellationToken).ConfigureAwait(false);
            delay *= 2;
        }
    }
}
