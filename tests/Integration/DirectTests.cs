using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using CsCheck;
using Google.Rpc;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Orleans.Runtime;
using Orleans.Serialization;
using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Engine.Tests;
using Slm.Inference;
using Slm.Inference.Direct;
using Slm.Inference.Engines;
using Slm.V1;
using WireFormat = Slm.Engine.Wire.WireFormat;

namespace Slm.Integration;

/// <summary>Direct connections between silos: what goes over them, and what does not belong there.</summary>
public sealed class DirectTests
{
    private const string Mixture = "qwen3moe-f32";
    private const string Dense = "llama-untied-f32";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    private static readonly Serializer Wire = new ServiceCollection().AddSerializer(b => b.AddAssembly(typeof(StagePass).Assembly)).BuildServiceProvider().GetRequiredService<Serializer>();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Dense, "0@a,1-*@b", "pass", "true")]
    [InlineData(Mixture, "0-1@a;experts:0-3@a,4-7@b", "call", "true")]
    [InlineData(Dense, "0@a,1-*@b", "pass", "false")]
    [InlineData(Mixture, "0-1@a;experts:0-3@a,4-7@b", "call", "false")]
    public async Task Answers_are_the_same_over_them_and_without_them(string origin, string map, string kind, string direct)
    {
        await using var server = await PostgreSqlServer.StartAsync(Cancelled);
        using var model = new OwnModel(origin);
        await using var first = await SiloHost.StartAsync(server.ConnectionString, ("Slm:Inference:SiloName", "a"), ("Slm:Inference:Direct", direct), model.Setting);
        await using var second = await SiloHost.StartAsync(server.ConnectionString, ("Slm:Inference:SiloName", "b"), ("Slm:Inference:Direct", "true"), model.Setting);
        var reference = ReferenceModel.Read(origin);
        var layers = (await first.Models.DescribeAsync(new DescribeModelRequest { Model = model.Name }, cancellationToken: Cancelled)).Layers;
        using var measured = new Measurements(ClusterMetrics.MeterName);
        await first.Models.LoadAsync(
            new LoadModelRequest { Model = model.Name, Placement = new Placement { Map = map.Replace("*", $"{layers - 1}", StringComparison.Ordinal) } }, cancellationToken: Cancelled);
        var request = GenerationTests.Greedy(model.Name, reference.Tokens, reference.Greedy.Length);
        var begun = TimeProvider.System.GetTimestamp();

        // A connection is made while answers go on: the first of them need none.
        var answers = 0;
        do
        {
            Assert.Equal(reference.Greedy, (await first.Inference.GenerateOnceAsync(request, cancellationToken: Cancelled)).TokenIds);
            Assert.True(TimeProvider.System.GetElapsedTime(begun) < Deadline, $"{answers} answers, and nothing went over a direct connection.");
        }
        while (direct == "true" ? Frames() == 0 : ++answers < 3);

        // Where the owner of the pipeline is on b, steps for a come from there.
        if (direct == "false" && kind == "call")
            Assert.Equal(0, Frames());

        double Frames() => measured.Sum(ClusterMetrics.DirectFrames, (ClusterMetrics.ModelTag, model.Name), (ClusterMetrics.KindTag, kind));
    }

    [Fact]
    public void Frames_arrive_whole_however_they_are_cut()
    {
        var frame = Gen.Select(Gen.Enum<DirectKind>(), Gen.Long, Gen.String[0, 40], Gen.Byte.Array[0, 3000]);
        Gen.Select(frame.Array[1, 6], Gen.Int[1, 4000].Array[1, 8]).Sample((sent, cuts) =>
        {
            using var pair = new Pair();
            var bytes = new List<byte>();
            using (var memory = new Pair())
            {
                var writer = new DirectWriter(memory.NearStream, Wire);
                foreach (var (kind, number, key, body) in sent)
                {
                    writer.WriteBytes(kind, number, key, body);
                    bytes.AddRange(memory.Take(DirectFrame.LengthBytes + DirectFrame.HeaderBytes + System.Text.Encoding.UTF8.GetByteCount(key) + body.Length));
                }
            }

            var sending = Task.Run(() =>
            {
                for (int at = 0, cut = 0; at < bytes.Count; cut++)
                {
                    var count = Math.Min(cuts[cut % cuts.Length], bytes.Count - at);
                    pair.Near.Send([.. bytes.Skip(at).Take(count)]);
                    at += count;
                }

                pair.Near.Shutdown(SocketShutdown.Send);
            });
            var reader = new DirectReader(pair.FarStream);
            foreach (var (kind, number, key, body) in sent)
            {
                Assert.True(reader.TryRead(out var frame));
                Assert.Equal((kind, number, System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(key))), (frame.Kind, frame.Number, frame.Key));
                Assert.Equal(body, frame.Body.ToArray());
            }

            Assert.False(reader.TryRead(out _));
            sending.GetAwaiter().GetResult();
        }, iter: 40);
    }

    [Fact]
    public void Whoever_means_another_silo_or_speaks_otherwise_is_sent_away_and_others_go_on()
    {
        using var here = new Listener();
        Assert.Throws<InvalidDataException>(() => DirectLink.Connect(here.Endpoint, "10.0.0.9:11111@7", Wire));
        byte[] tooLong = new byte[64], negative = new byte[64];
        BinaryPrimitives.WriteInt32LittleEndian(tooLong, DirectFrame.MostBytes + 1);
        BinaryPrimitives.WriteInt32LittleEndian(negative, -1);
        foreach (var junk in new[] { "GET / HTTP/1.1\r\n\r\n"u8.ToArray(), tooLong, negative })
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = (int)Deadline.TotalMilliseconds };
            socket.Connect(here.Endpoint);
            socket.Send(junk);
            Assert.Equal(0, Receive(socket));
        }

        using var link = DirectLink.Connect(here.Endpoint, Listener.Silo, Wire);
        link.Send(DirectKind.Echo, 5, "");
        Assert.Equal((DirectKind.Echo, 5), Kind(link.Receive(5, Cancelled)));

        static int Receive(Socket socket)
        {
            try
            {
                return socket.Receive(new byte[64]);
            }
            catch (SocketException error) when (error.SocketErrorCode == SocketError.ConnectionReset)
            {
                // What had not been read yet makes it a reset.
                return 0;
            }
        }
    }

    [Fact]
    public void What_is_for_nobody_is_dropped_or_refused_and_the_connection_goes_on()
    {
        using var here = new Listener();
        using var link = DirectLink.Connect(here.Endpoint, Listener.Silo, Wire);
        var batch = new StepBatch();
        batch.Add([5, 6], 0, [1], 1);
        link.Send(DirectKind.Pass, 0, "stage@nowhere", new StagePass(StageMessages.ToRequest(batch, StepOutput.Logits), RowMessages.Write(WireFormat.F32, [1, 2, 3, 4], 2)));
        link.Send(DirectKind.Call, 1, "group@nowhere", new ExpertRequest(0, RowMessages.Write(WireFormat.F32, [1, 2], 2), [0], [0], (int)WireFormat.F32));
        var answer = link.Receive(1, Cancelled);
        Assert.Equal(DirectKind.Failure, answer.Kind);
        var status = Status.Parser.ParseFrom(answer.Body.Span);
        Assert.Equal((int)Code.Unavailable, status.Code);
        Assert.Equal("Group group@nowhere holds no experts any more.", status.Message);

        // The answer to a call that was given up is skipped.
        link.Send(DirectKind.Echo, 2, "");
        link.Send(DirectKind.Echo, 3, "");
        Assert.Equal((DirectKind.Echo, 3), Kind(link.Receive(3, Cancelled)));
        Assert.False(link.HasEnded());

        // Whoever waits is told when it is over.
        var waited = Assert.Throws<OperationCanceledException>(() => link.Receive(4, new CancellationToken(canceled: true)));
        Assert.NotNull(waited);
        Assert.True(link.IsOpen);

        here.Dispose();
        Assert.Throws<IOException>(() => link.Receive(4, Cancelled));
        Assert.False(link.IsOpen);
        Assert.Throws<IOException>(() => link.Send(DirectKind.Echo, 9, ""));
    }

    private static (DirectKind Kind, long Number) Kind(DirectFrame frame) => (frame.Kind, frame.Number);

    /// <summary>A silo's side without a silo.</summary>
    private sealed class Listener : IDisposable
    {
        public const string Silo = "127.0.0.1:11111@42";
        private readonly DirectListener _listener = new(
            new Details(), new DirectOptions(true, 0), new SiloRunners<StageRunner>(), new SiloRunners<ExpertGroupRunner>(), Wire, NullLogger<DirectListener>.Instance);

        public IPEndPoint Endpoint => IPEndPoint.Parse(_listener.Endpoint!);

        public void Dispose() => _listener.Dispose();

        private sealed class Details : ILocalSiloDetails
        {
            public string Name => "here";

            public string ClusterId => "slm";

            public string DnsHostName => "localhost";

            public SiloAddress SiloAddress => SiloAddress.FromParsableString(Silo);

            public SiloAddress GatewayAddress => SiloAddress;
        }
    }

    /// <summary>Two ends of a connection.</summary>
    private sealed class Pair : IDisposable
    {
        public Pair()
        {
            using var listening = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            listening.Bind(new IPEndPoint(IPAddress.Loopback, 0));
            listening.Listen();
            Near = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            Near.Connect(listening.LocalEndPoint!);
            Far = listening.Accept();
        }

        public Socket Near { get; }

        public Socket Far { get; }

        public Stream NearStream => new NetworkStream(Near);

        public Stream FarStream => new NetworkStream(Far);

        public byte[] Take(int count)
        {
            var taken = new byte[count];
            for (var at = 0; at < count;)
                at += Far.Receive(taken.AsSpan(at));
            return taken;
        }

        public void Dispose()
        {
            Near.Dispose();
            Far.Dispose();
        }
    }
}
