using System.Net;
using System.Net.Sockets;
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
    private readonly DirectWriter _writer;
    private readonly DirectReader _reader;
    private volatile bool _broken;

    private DirectLink(string silo, Socket socket, Serializer serializer) => (Silo, _socket, _writer, _reader) = (silo, socket, new DirectWriter(socket, serializer), new DirectReader(socket));

    /// <summary>The silo on the other side.</summary>
    public string Silo { get; }

    /// <summary>False once something has gone wrong.</summary>
    public bool IsOpen => !_broken;

    /// <summary>Connects; blocks for two seconds at most. Sockets that have once been used asynchronously would never block again.</summary>
    /// <param name="endpoint">Where the silo listens.</param>
    /// <param name="silo">The silo that is meant: another one may listen there by now.</param>
    /// <param name="serializer">Writes bodies.</param>
    /// <exception cref="SocketException">It cannot be reached.</exception>
    /// <exception cref="InvalidDataException">Somebody else listens there.</exception>
    public static DirectLink Connect(IPEndPoint endpoint, string silo, Serializer serializer)
    {
        var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true, SendTimeout = PatienceMilliseconds, ReceiveTimeout = PatienceMilliseconds };
        var link = new DirectLink(silo, socket, serializer);
        try
        {
            KeepAlive(socket);
            socket.Connect(endpoint);
            link._writer.WriteBytes(DirectKind.Hello, DirectFrame.Version, silo);
            if (!link._reader.TryRead(out var hello) || hello != hello with { Kind = DirectKind.Hello, Number = DirectFrame.Version, Key = silo })
                throw new InvalidDataException($"{endpoint} is not silo {silo}.");
            (socket.SendTimeout, socket.ReceiveTimeout) = (SendMilliseconds, 0);
            return link;
        }
        catch
        {
            link.Dispose();
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
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
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
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            throw Broken(error);
        }
    }

    /// <summary>True if the other side has ended a connection on which it has nothing to say.</summary>
    public bool HasEnded()
    {
        try
        {
            return _broken || _socket.Poll(0, SelectMode.SelectRead);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            return true;
        }
    }

    /// <summary>Waits for the answer to a call; what answers earlier ones, which were given up, is skipped.</summary>
    /// <param name="number">The call.</param>
    /// <param name="isOver">Asked every now and then whether to go on waiting: throws if not.</param>
    /// <exception cref="IOException">The connection is broken.</exception>
    public DirectFrame Receive(long number, Action isOver)
    {
        const int Every = 20_000;
        try
        {
            while (true)
            {
                while (_reader.TryTake(out var frame))
                {
                    if (frame.Number == number)
                        return frame;
                }

                while (!_socket.Poll(Every, SelectMode.SelectRead))
                    isOver();
                if (!_reader.Fill())
                    throw Broken(null);
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or InvalidDataException)
        {
            throw Broken(error);
        }
    }

    public void Dispose()
    {
        _broken = true;
        _socket.Dispose();
    }

    private IOException Broken(Exception? error)
    {
        Dispose();
        return new IOException($"The direct connection is broken{(error is null ? "." : $": {error.Message}")}", error);
    }
}
