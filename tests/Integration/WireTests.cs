using CsCheck;
using Google.Rpc;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;
using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Inference.Engines;
using Slm.V1;
using WireFormat = Slm.Engine.Wire.WireFormat;

namespace Slm.Integration;

/// <summary>What travels between silos arrives as it was sent.</summary>
public sealed class WireTests
{
    private static readonly Serializer Wire = new ServiceCollection().AddSerializer(b => b.AddAssembly(typeof(Activations).Assembly)).BuildServiceProvider().GetRequiredService<Serializer>();

    [Fact]
    public void A_step_survives_its_way_to_a_stage() =>
        Gen.Select(
            Gen.Select(Gen.Int[1, 40], Gen.Int[0, 100], Gen.Int[0, 40], (count, start, outputs) => (count, start, outputs: Math.Min(outputs, count))).Array[1, 8],
            Gen.Bool,
            Gen.Bool).Sample((items, hidden, later) =>
        {
            var batch = new StepBatch();
            var next = 0;
            foreach (var (count, start, outputs) in items)
                batch.Add([.. Enumerable.Range(next, count)], start, [.. Enumerable.Range(next++, (start + count + 31) / 32)], hidden ? outputs : 0, next - 3, next % 4, hidden ? start : 0);
            batch.Encodes = !hidden;
            batch.AddCopy(next, 3);
            batch.AddCopy(0, next + 1);
            batch.AddStateCopy(2, next);
            var request = StageMessages.ToRequest(batch, hidden ? StepOutput.Hidden : StepOutput.Logits).For(later ? 1 : 0, 7, 12);
            var arrived = Wire.Deserialize<StageRequest>(Wire.SerializeToArray(request))!;
            var copy = new StepBatch();
            arrived.Fill(copy);
            Assert.Equal((7, 12), (arrived.Epoch, arrived.Number));
            Assert.Equal(later ? new int[batch.TokenCount] : batch.Tokens.ToArray(), copy.Tokens.ToArray());
            Assert.Equal(batch.Items, copy.Items);
            Assert.Equal(batch.Encodes, copy.Encodes);
            Assert.Equal(batch.OutputRows, copy.OutputRows);
            Assert.Equal(batch.Copies, copy.Copies);
            Assert.Equal(batch.StateCopies, copy.StateCopies);
            for (var i = 0; i < batch.Items.Length; i++)
                Assert.Equal(batch.BlocksOf(batch.Items[i]), copy.BlocksOf(copy.Items[i]));
            Assert.Equal(hidden, arrived.Hidden);
        });

    [Fact]
    public void Activations_survive_bit_for_bit() => Gen.Float.Array[0, 50].Sample(values =>
    {
        var arrived = Wire.Deserialize<StageResult>(Wire.SerializeToArray(new StageResult(new Activations(values))))!;
        Assert.Equal(values.Select(BitConverter.SingleToInt32Bits), arrived.Values.Values.ToArray().Select(BitConverter.SingleToInt32Bits));
    });

    [Fact]
    public void Activations_that_go_back_with_an_answer_survive()
    {
        float[] values = [1, -2.5f, float.MinValue, 0, 3, 4];
        var sent = new StageResult(default, RowMessages.Write(WireFormat.F32, values, 3), 1234);
        var arrived = Wire.Deserialize<StageResult>(Wire.SerializeToArray(sent))!;
        var read = new float[values.Length];
        arrived.Rows!.Read(read);
        Assert.Equal(values, read);
        Assert.Equal((1234, 0), (arrived.ComputeMicroseconds, arrived.Values.Values.Length));
        Assert.Null(Wire.Deserialize<StageResult>(Wire.SerializeToArray(new StageResult(new Activations(values))))!.Rows);
    }

    [Fact]
    public void A_step_that_is_passed_on_survives()
    {
        var batch = new StepBatch();
        batch.Add([5, 6], 3, [7], 2);
        var request = StageMessages.ToRequest(batch, StepOutput.Logits).For(0, 4, 9);
        float[] values = [1, -2.5f, float.MinValue, 0, 3, 4];
        var arrived = Wire.Deserialize<StagePass>(Wire.SerializeToArray(new StagePass(request.Behind(), RowMessages.Write(WireFormat.F32, values, 3), 1234)))!;
        var read = new float[values.Length];
        arrived.Rows!.Read(read);
        Assert.Equal(values, read);
        Assert.Equal((4, 9, 1234), (arrived.Request.Epoch, arrived.Request.Number, arrived.ComputeMicroseconds));
        Assert.Empty(arrived.Request.Tokens);
        Assert.Null(arrived.Failure);

        var first = Wire.Deserialize<StagePass>(Wire.SerializeToArray(new StagePass(request, Failure: [1, 2])))!;
        Assert.Equal([5, 6], first.Request.Tokens);
        Assert.Null(first.Rows);
        Assert.Equal([1, 2], first.Failure!);
    }

    [Fact]
    public void A_message_survives()
    {
        var request = GenerationTests.Greedy("m", [1, 2, 3], 7);
        Assert.Equal(request, Wire.Deserialize<Payload<GenerateRequest>>(Wire.SerializeToArray(new Payload<GenerateRequest>(request))).Message);
    }

    [Fact]
    public void An_error_survives_with_its_details()
    {
        var status = ServiceDefaults.Errors.ErrorMap.Make(Code.NotFound, "Gone.", new ResourceInfo { ResourceName = "m" });
        var arrived = Wire.Deserialize<Exception>(Wire.SerializeToArray<Exception>(new StatusException(status)));
        var error = Assert.IsType<StatusException>(arrived);
        Assert.Equal(status, error.Status);
        Assert.Equal("Gone.", error.Message);
    }
}
