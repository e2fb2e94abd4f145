using System.Net;
using System.Net.Sockets;

namespace Slm.Integration;

/// <summary>Ports for servers of tests.</summary>
internal static class Ports
{
    // Below the ports that the system gives to connections: one of those could be taken before the server starts.
    private const int First = 12_000, Last = 30_000;

    private static int Next = Random.Shared.Next(First, Last);

    /// <summary>A port nobody listens on, another one at every call.</summary>
    public static int Free()
    {
        while (true)
        {
            var port = First + (int)((uint)Interlocked.Increment(ref Next) % (Last - First));
            try
            {
                using var listener = new TcpListener(IPAddress.Any, port);
                listener.Start();
                return port;
            }
            catch (SocketException)
            {
                // Somebody has it.
            }
        }
    }
}
