using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using Orleans.Serialization;

namespace Slm.Inference.Direct;

/// <summary>
/// A direct connection to another silo. Its socket blocks: whoever computes sends on its own thread and is awakened by the system when
/// an answer has come, with nothing between, where a message of Orleans is passed from thread to thread six times on its way.
/// </summary>
internal sealed class DirectLink : IDisposable
{
    private const int PatienceMilliseconds = 2000;

    /// <summary>Frames are small; whoever does not take one for so long hangs, and the thread that computes must not.</summary>
    private const int SendMilliseconds = 500;

    private readonly Socket _socket;
    private readonly bool _isPlain;
    private readonly DirectWriter _writer;
    private readonly DirectReader _reader;
    private volatile bool _broken;

    private DirectLink(string silo, Socket socket, Stream stream, bool isPlain, Serializer serializer) =>
        (Silo, _socket, _isPlain, _writer, _reader) = (silo, socket, isPlain, new DirectWriter(stream, serializer), new DirectReader(stream));

    /// <summary>The silo on the other side.</summary>
    public string Silo { get; }

    /// <summary>False once something has gone wrong.</summary>
    public bool IsOpen => !_broken;

    /// <summary>Connects; blocks for some seconds at most. Sockets that have once been used asynchronously would never block again.</summary>
    /// <param name="endpoint">Where the silo listens.</param>
    /// <param name="silo">The silo that is meant: another one may listen there by now.</param>
    /// <param name="serializer">Writes bodies.</param>
    /// <param name="tls">What the client's side of TLS needs; null for none.</param>
    /// <exception cref="SocketException">It cannot be reached.</exception>
    /// <exception cref="IOException">It does not answer.</exception>
    /// <exception cref="AuthenticationException">Its certificate, or this silo's, is not taken.</exception>
    /// <exception cref="InvalidDataException">Somebody else listens there.</exception>
    public static DirectLink Connect(IPEndPoint endpoint, string silo, Serializer serializer, SslClientAuthenticationOptions? tls = null)
    {
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, SendTimeout = PatienceMilliseconds, ReceiveTimeout = PatienceMilliseconds };
        try
        {
            KeepAlive(socket);
            socket.Connect(endpoint);
            Stream stream = new NetworkStream(socket);
            if (tls is not null)
            {
                var secured = new SslStream(stream);
                secured.AuthenticateAsClient(tls);
                stream = secured;
            }

            var link = new DirectLink(silo, socket, stream, tls is null, serializer);
            link._writer.WriteBytes(DirectKind.Hello, DirectFrame.Version, silo);
            if (!link._reader.TryRead(out var hello) || hello != hello with { Kind = DirectKind.Hello, Number = DirectFrame.Version, Key = silo })
                throw new InvalidDataException($"{endpoint} is not silo {silo}.");
            (socket.SendTimeout, socket.ReceiveTimeout) = (SendMilliseconds, 0);
            return link;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Has the system end a connection whose other side is gone without a word.</summary>
    public static void KeepAlive(Socket socket)
    {
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 30);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 10);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
    }

    /// <summary>Sends a frame.</summary>
    /// <exception cref="IOException">The connection is broken; whether the frame has arrived is not known.</exception>
    public void Send<T>(DirectKind kind, long number, string key, T body)
    {
        try
        {
            _writer.Write(kind, number, key, body);
        }
        catch (Exception error) when (IsEnd(error))
        {
            throw Broken(error);
        }
    }

    /// <inheritdoc cref="Send{T}"/>
    public void Send(DirectKind kind, long number, string key)
    {
        try
        {
            _writer.WriteBytes(kind, number, key);
        }
        catch (Exception error) when (IsEnd(error))
        {
            throw Broken(error);
        }
    }

    /// <summary>True if the other side is known to have ended a connection on which it has nothing to say. TLS has of itself, now and then.</summary>
    public bool HasEnded()
    {
        try
        {
            return _broken || (_isPlain && _socket.Poll(0, SelectMode.SelectRead));
        }
        catch (Exception error) when (IsEnd(error))
        {
            return true;
        }
    }

    /// <summary>Waits for the answer to a call; what answers earlier ones, which were given up, is skipped.</summary>
    /// <param name="number">The call.</param>
    /// <param name="cancellationToken">Ends the waiting, with TLS the connection as well.</param>
    /// <exception cref="IOException">The connection is broken.</exception>
    /// <exception cref="OperationCanceledException">Nobody waits any more.</exception>
    public DirectFrame Receive(long number, CancellationToken cancellationToken)
    {
        const int Every = 20_000;
        try
        {
            // Bytes that TLS has read ahead make no socket readable: it has to block.
            using var ends = _isPlain ? default : cancellationToken.UnsafeRegister(static link => ((DirectLink)link!).Dispose(), this);
            while (true)
            {
                while (_reader.TryTake(out var frame))
                {
                    if (frame.Number == number)
                        return frame;
                }

                while (_isPlain && !_socket.Poll(Every, SelectMode.SelectRead))
                    cancellationToken.ThrowIfCancellationRequested();
                if (!_reader.Fill())
                    throw Broken(null);
            }
        }
        catch (Exception error) when (IsEnd(error) || error is InvalidDataException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw Broken(error);
        }
    }

    public void Dispose()
    {
        _broken = true;
        _socket.Dispose();
    }

    /// <summary>True if it says that a connection has ended.</summary>
    public static bool IsEnd(Exception error) => error is IOException or SocketException or ObjectDisposedException;

    private IOException Broken(Exception? error)
    {
        Dispose();
        return new IOException($"The direct connection is broken{(error is null ? "." : $": {error.Message}")}", error);
    }
}
