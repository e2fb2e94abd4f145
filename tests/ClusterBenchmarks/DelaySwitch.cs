using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Slm.Cluster.Tests.Network;

namespace Slm.ClusterBenchmarks;

/// <summary>
/// An Ethernet switch in this process, for kernels that cannot delay packets themselves: each host has a TAP device as its cable, and
/// a frame from one host to another is written a fixed time after it was read. One more device joins the bridge, which this
/// process and what is not delayed are on.
/// </summary>
internal sealed partial class DelaySwitch(TimeSpan delay) : IDisposable
{
    private const int MaxFrame = 1 << 16;
    private readonly Lock _gate = new();
    private readonly List<Port> _ports = [];
    private readonly Dictionary<ulong, Port> _addresses = [];
    private readonly long _delayTicks = (long)(delay.TotalSeconds * Stopwatch.Frequency);
    private volatile bool _stopping;

    /// <summary>Makes the cable of a host.</summary>
    /// <param name="host">The host.</param>
    /// <param name="delayed">Whether frames between it and other delayed hosts take their time.</param>
    public async Task PlugAsync(NetworkHost host, bool delayed, CancellationToken cancellationToken)
    {
        Open(host.Link, delayed);
        await HostNetwork.RunAsync(["link", "set", host.Link, "netns", host.Namespace, "name", "eth0"], cancellationToken);
    }

    /// <summary>Joins the switch and a bridge.</summary>
    public async Task JoinAsync(string bridge, CancellationToken cancellationToken)
    {
        var device = $"slmu{Environment.ProcessId}";
        Open(device, delayed: false);
        await HostNetwork.RunAsync(["link", "set", device, "master", bridge], cancellationToken);
        await HostNetwork.RunAsync(["link", "set", device, "up"], cancellationToken);
    }

    public void Dispose()
    {
        _stopping = true;
        foreach (var port in _ports)
            port.Dispose();
    }

    private void Open(string device, bool delayed)
    {
        const int ReadWrite = 2;
        var file = OpenFile("/dev/net/tun", ReadWrite);
        if (file < 0)
            throw new InvalidOperationException($"/dev/net/tun cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}");

        // struct ifreq: the name in 16 bytes, then the flags: a TAP device, frames without a header.
        const ulong SetInterface = 0x400454ca;
        const short Tap = 0x0002, NoHeader = 0x1000;
        Span<byte> request = stackalloc byte[40];
        request.Clear();
        Encoding.ASCII.GetBytes(device, request[..15]);
        BitConverter.TryWriteBytes(request[16..], (short)(Tap | NoHeader));
        if (Control(file, SetInterface, ref MemoryMarshal.GetReference(request)) < 0)
            throw new InvalidOperationException($"The device {device} cannot be made: {Marshal.GetLastPInvokeErrorMessage()}");
        var port = new Port(this, file, delayed);
        lock (_gate)
            _ports.Add(port);
        port.Start();
    }

    /// <summary>Sends a frame to whoever has its address, or to all.</summary>
    private void Pass(Port from, byte[] frame)
    {
        var now = Stopwatch.GetTimestamp();
        var (to, source) = (Address(frame), Address(frame.AsSpan(6)));
        lock (_gate)
        {
            _addresses[source] = from;
            if (_addresses.TryGetValue(to, out var one))
            {
                if (one != from)
                    one.Send(frame, now + (from.Delayed && one.Delayed ? _delayTicks : 0));
                return;
            }

            foreach (var port in _ports)
            {
                if (port != from)
                    port.Send(frame, now + (from.Delayed && port.Delayed ? _delayTicks : 0));
            }
        }
    }

    private static ulong Address(ReadOnlySpan<byte> bytes)
    {
        var address = 0UL;
        foreach (var part in bytes[..6])
            address = (address << 8) | part;
        return address;
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenFile(string path, int flags);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int CloseFile(int file);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int Control(int file, ulong request, ref byte argument);

    [LibraryImport("libc", EntryPoint = "read")]
    private static partial nint ReadFile(int file, ref byte buffer, nint count);

    [LibraryImport("libc", EntryPoint = "write")]
    private static partial nint WriteFile(int file, ref byte buffer, nint count);

    [LibraryImport("libc", EntryPoint = "poll")]
    private static partial int Poll(ref PollRequest request, uint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "nanosleep")]
    private static partial int Sleep(ref TimeSpec time, nint left);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollRequest
    {
        public int File;
        public short Events, Happened;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds, Nanoseconds;
    }

    /// <summary>A device: one thread reads frames, another writes them when they are due.</summary>
    private sealed class Port(DelaySwitch owner, int file, bool delayed) : IDisposable
    {
        private readonly Queue<(byte[] Frame, long Due)> _queue = [];
        private readonly List<Thread> _threads = [];

        public bool Delayed => delayed;

        public void Start()
        {
            foreach (var work in new[] { (ThreadStart)Read, Write })
            {
                var thread = new Thread(work) { IsBackground = true, Name = "slm switch" };
                _threads.Add(thread);
                thread.Start();
            }
        }

        public void Send(byte[] frame, long due)
        {
            lock (_queue)
            {
                _queue.Enqueue((frame, due));
                Monitor.Pulse(_queue);
            }
        }

        public void Dispose()
        {
            lock (_queue)
                Monitor.PulseAll(_queue);
            _threads.ForEach(thread => thread.Join());
            _ = CloseFile(file);
        }

        private void Read()
        {
            const short Readable = 1;
            var buffer = new byte[MaxFrame];
            while (!owner._stopping)
            {
                var request = new PollRequest { File = file, Events = Readable };
                if (Poll(ref request, 1, 200) <= 0)
                    continue;
                var count = ReadFile(file, ref buffer[0], buffer.Length);
                if (count >= 14)
                    owner.Pass(this, buffer.AsSpan(0, (int)count).ToArray());
            }
        }

        private void Write()
        {
            while (true)
            {
                (byte[] Frame, long Due) next;
                lock (_queue)
                {
                    while (_queue.Count == 0 && !owner._stopping)
                        Monitor.Wait(_queue);
                    if (owner._stopping)
                        return;
                    next = _queue.Dequeue();
                }

                WaitUntil(next.Due);
                _ = WriteFile(file, ref next.Frame[0], next.Frame.Length);
            }
        }

        /// <summary>Sleeps most of the time and spins the rest: the system wakes a thread some 50 µs late.</summary>
        private static void WaitUntil(long due)
        {
            const double Spin = 80e-6;
            var left = (due - Stopwatch.GetTimestamp()) / (double)Stopwatch.Frequency;
            if (left > Spin)
            {
                var time = new TimeSpec { Nanoseconds = (long)((left - Spin) * 1e9) };
                _ = Sleep(ref time, 0);
            }

            while (Stopwatch.GetTimestamp() < due)
                Thread.SpinWait(8);
        }
    }
}
