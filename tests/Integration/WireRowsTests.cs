using System.Buffers;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;
using Slm.Contracts.Grains;

namespace Slm.Integration;

/// <summary>Activations through Orleans' serializer.</summary>
public sealed class WireRowsTests
{
    [Theory]
    [InlineData(1, 576)]
    [InlineData(512, 2048)]
    public void Rows_arrive_as_they_were_sent(int rows, int width)
    {
        using var services = Serialization();
        var serializer = services.GetRequiredService<Serializer<WireRows>>();
        var payload = new byte[rows * width * 2];
        new Random(1).NextBytes(payload);
        int[] scaled = [0, 3, rows - 1, 113];
        var arrived = serializer.Deserialize(serializer.SerializeToArray(Rent(rows, width, scaled, payload)))!;
        Assert.Equal((rows, width, 2), (arrived.Rows, arrived.Width, arrived.Format));
        Assert.Equal(scaled, arrived.Scaled);
        Assert.True(arrived.Payload.SequenceEqual(payload));
        arrived.Release();
        arrived.Release();
        Assert.Throws<InvalidOperationException>(() => arrived.Payload.Length);
    }

    [Fact]
    public void They_cost_a_few_bytes_beside_their_payload()
    {
        using var services = Serialization();
        var serializer = services.GetRequiredService<Serializer<WireRows>>();
        Assert.InRange(serializer.SerializeToArray(Rent(4, 600, [], new byte[4800])).Length, 4800, 4800 + 64);
    }

    [Fact]
    public void They_travel_once()
    {
        using var services = Serialization();
        var serializer = services.GetRequiredService<Serializer<WireRows>>();
        var rows = Rent(1, 2, [], new byte[4]);
        serializer.SerializeToArray(rows);
        Assert.Throws<InvalidOperationException>(() => serializer.SerializeToArray(rows));
        Assert.Throws<InvalidOperationException>(() => rows.Payload.Length);
        rows.Release();
    }

    [Fact]
    public void No_rows_travel_as_often_as_one_likes()
    {
        using var services = Serialization();
        var serializer = services.GetRequiredService<Serializer<WireRows>>();
        for (var i = 0; i < 2; i++)
        {
            var arrived = serializer.Deserialize(serializer.SerializeToArray(WireRows.None))!;
            Assert.Equal((0, 0), (arrived.Rows, arrived.Payload.Length));
            WireRows.None.Release();
        }
    }

    [Fact]
    public void A_copy_within_the_silo_is_the_same_object()
    {
        using var services = Serialization();
        var rows = Rent(1, 2, [], new byte[4]);
        Assert.Same(rows, services.GetRequiredService<DeepCopier<WireRows>>().Copy(rows));
    }

    [Fact]
    public void A_length_beyond_the_message_takes_no_memory()
    {
        using var services = Serialization();
        var serializer = services.GetRequiredService<Serializer<WireRows>>();
        var message = serializer.SerializeToArray(Rent(1, 2, [], [1, 2, 3, 4]));
        Assert.Throws<InvalidDataException>(() => serializer.Deserialize(message.AsSpan(0, message.Length - 3)));
    }

    private static WireRows Rent(int rows, int width, int[] scaled, byte[] payload)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(payload.Length);
        payload.CopyTo(buffer, 0);
        return new WireRows(rows, width, 2, scaled, buffer, payload.Length);
    }

    private static ServiceProvider Serialization() => new ServiceCollection().AddSerializer(builder => builder.AddAssembly(typeof(WireRows).Assembly)).BuildServiceProvider();
}
