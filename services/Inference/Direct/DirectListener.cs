using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Google.Protobuf;
using Orleans.Serialization;
using Slm.Contracts.Grains;
using Slm.Inference.Engines;

namespace Slm.Inference.Direct;

/// <summary>
/// The other end of <see cref="DirectLinks"/>: a thread for each connection, which hands steps to the stages of this silo and computes
/// visits to its groups of experts itself. Like Orleans' own port it takes whoever reaches it for a silo, where silos do not talk TLS.
/// </summary>
internal sealed partial class DirectListener(
    ILocalSiloDetails silo, DirectOptions options, SiloRunners<StageRunner> stages, SiloRunners<ExpertGroupRunner> groups, Serializer serializer, ILogger<DirectListener> logger) : IDisposable
{
    private const int HelloMilliseconds = 5000;
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<Socket, bool> _sockets = [];
    private Socket? _listening;
    private bool _begun, _disposed;

    /// <summary>Where others reach it, such as "10.0.0.2:40123"; null if it is switched off, or no port can be had. It listens from the first call on.</summary>
    public string? Endpoint
    {
        get
        {
            lock (_gate)
            {
                if (!_begun && !_disposed)
                {
                    _begun = true;
                    Listen();
                }

                return _listening is { } socket ? new IPEndPoint(silo.SiloAddress.Endpoint.Address, ((IPEndPoint)socket.LocalEndPoint!).Port).ToString() : null;
            }
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            _listening?.Dispose();
            _listening = null;
        }

        foreach (var socket in _sockets.Keys)
            socket.Dispose();
    }

    private void Listen()
    {
        if (!options.IsOn)
            return;
        var address = silo.SiloAddress.Endpoint.Address;

        // Behind a translated address the own one is another.
        foreach (var local in new[] { address, address.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any })
        {
            var socket = new Socket(local.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Bind(new IPEndPoint(local, options.Port));
                socket.Listen();
                _listening = socket;
                Start("slm direct", () => Accept(socket));
                return;
            }
            catch (SocketException error)
            {
                socket.Dispose();
                LogClosed(logger, error, new IPEndPoint(local, options.Port));
            }
        }
    }

    private void Accept(Socket listening)
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = listening.Accept();
            }
            catch (Exception error) when (error is SocketException or ObjectDisposedException)
            {
                if (_disposed)
                    return;
                LogAccept(logger, error);
                Thread.Sleep(100);
                continue;
            }

            _sockets[socket] = true;
            if (_disposed)
                socket.Dispose();
            Start("slm direct in", () => Serve(socket));
        }
    }

    private void Serve(Socket socket)
    {
        string? peer = null;
        try
        {
            peer = socket.RemoteEndPoint?.ToString();
            (socket.NoDelay, socket.ReceiveTimeout) = (true, HelloMilliseconds);
            DirectLink.KeepAlive(socket);
            Stream stream = new NetworkStream(socket);
            if (options.Tls is { } tls)
            {
                var secured = new SslStream(stream);
                stream = secured;
                secured.AuthenticateAsServer(tls.ServerOptions(logger));
            }

            using var owned = stream;
            var (reader, writer) = (new DirectReader(stream), new DirectWriter(stream, serializer));
            if (!reader.TryRead(out var hello) || hello.Kind != DirectKind.Hello || hello.Number != DirectFrame.Version || hello.Key != silo.SiloAddress.ToParsableString())
                return;
            writer.WriteBytes(DirectKind.Hello, DirectFrame.Version, hello.Key);
            socket.ReceiveTimeout = 0;
            while (reader.TryRead(out var frame))
                Handle(frame, writer);
        }
        catch (Exception error) when (DirectLink.IsEnd(error))
        {
            // It has ended, or this silo has.
        }
#pragma warning disable CA1031 // What is no frame ends the connection; whoever sent it makes another.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogRefused(logger, error, peer);
        }
        finally
        {
            _sockets.TryRemove(socket, out _);
            socket.Dispose();
        }
    }

    private void Handle(DirectFrame frame, DirectWriter writer)
    {
        switch (frame.Kind)
        {
            case DirectKind.Pass:
                // A stage that is not here any more takes nothing: its owner finds that out.
                var pass = frame.Read<StagePass>(serializer);
                if (stages.Find(frame.Key) is { } stage)
                {
                    ClusterMetrics.CameDirect(stage.Model, "pass");
                    stage.Pass(pass);
                }
                else
                {
                    pass.Rows?.Release();
                }

                break;
            case DirectKind.Call:
                ExpertResult result;
                try
                {
                    var request = frame.Read<ExpertRequest>(serializer);
                    var group = groups.Find(frame.Key) ?? throw ExpertGroupRunner.Gone(frame.Key);
                    ClusterMetrics.CameDirect(group.Model, "call");
                    result = group.Forward(request);
                }
                catch (StatusException error)
                {
                    writer.WriteBytes(DirectKind.Failure, frame.Number, "", error.Status.ToByteArray());
                    break;
                }

                writer.Write(DirectKind.Answer, frame.Number, "", result);
                break;
            case DirectKind.Echo:
                writer.WriteBytes(DirectKind.Echo, frame.Number, "");
                break;
            default:
                throw new InvalidDataException($"A frame is of kind {(int)frame.Kind}, which is not known.");
        }
    }

    private static void Start(string name, ThreadStart work) => new Thread(work) { IsBackground = true, Name = name }.Start();

    [LoggerMessage(Level = LogLevel.Warning, Message = "No direct connections at {Endpoint}")]
    private static partial void LogClosed(ILogger logger, Exception error, IPEndPoint endpoint);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A direct connection could not be taken")]
    private static partial void LogAccept(ILogger logger, Exception error);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The direct connection of {Peer} is ended")]
    private static partial void LogRefused(ILogger logger, Exception error, string? peer);
}
