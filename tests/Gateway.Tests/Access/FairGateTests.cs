using CsCheck;
using Slm.Gateway.Access;
using Slm.Gateway.OpenAi;

namespace Slm.Gateway.Tests.Access;

public sealed class FairGateTests
{
    [Fact]
    public void Busy_callers_get_equal_shares_and_leave_one_for_the_next()
    {
        var gate = new FairGate(100, TimeProvider.System);
        Assert.Equal(50, Fill(gate, "a"));
        Assert.Equal(25, Fill(gate, "b"));
        Assert.Equal(13, Fill(gate, "c"));
        Assert.True(Fill(gate, "d") > 0);
        Assert.Equal(0, Fill(gate, "a"));
    }

    [Fact]
    public void A_caller_who_has_none_is_let_in_while_there_is_any_place_and_none_are_lost() => Gen.Select(Gen.Int[1, 20], Gen.Select(Gen.Int[0, 4], Gen.Bool).Array[1, 300]).Sample((capacity, steps) =>
    {
        var gate = new FairGate(capacity, new ManualTime());
        var places = Enumerable.Range(0, 5).Select(_ => new Stack<IDisposable>()).ToArray();
        foreach (var (caller, enters) in steps)
        {
            var total = places.Sum(p => p.Count);
            if (!enters)
            {
                if (places[caller].TryPop(out var place))
                {
                    place.Dispose();
                    place.Dispose();
                }

                continue;
            }

            try
            {
                places[caller].Push(gate.Enter($"{caller}", null));
                Assert.True(total < capacity);
            }
            catch (OpenAiException error)
            {
                Assert.Equal(429, error.Status);
                Assert.InRange(error.RetryAfter!.Value.TotalSeconds, 1, 60);
                Assert.True(total >= capacity || places[caller].Count > 0);
            }
        }

        foreach (var place in places.SelectMany(p => p))
            place.Dispose();
        Assert.Equal((capacity + 1) / 2, Fill(gate, "x"));
    });

    private static int Fill(FairGate gate, string caller)
    {
        for (var count = 0; ; count++)
        {
            try
            {
                _ = gate.Enter(caller, null);
            }
            catch (OpenAiException)
            {
                return count;
            }
        }
    }
}
