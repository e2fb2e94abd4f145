using Slm.Engine.Blocks;
using Slm.Engine.Kernels;

namespace Slm.Engine.Tests.Kernels;

/// <summary>Rows behind closed gates are left out, panel by panel, and nothing else.</summary>
public sealed unsafe class ActiveRowsTests
{
    private const int Rows = 40;

    /// <summary>Gates that are open by token, first row and last; what is computed: rows from and to.</summary>
    public static TheoryData<int, int[], int[]> Cases => new()
    {
        { 16, [0, 3, 3], [0, 16] },
        { 16, [1, 20, 20, 0, 39, 39], [16, 40] },
        { 16, [0, 0, 0, 1, 33, 34], [0, 16, 32, 40] },
        { 16, [], [] },
        { 16, [0, 0, 39], [0, 40] },
        { 8, [0, 9, 10, 1, 30, 30], [8, 16, 24, 32] },
        { 1, [0, 2, 4, 1, 4, 5, 1, 39, 39], [2, 6, 39, 40] },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Rows_behind_closed_gates_are_left_out(int together, int[] open, int[] computed)
    {
        const int Tokens = 2;
        var gates = stackalloc float[Tokens * Rows];
        var factors = stackalloc float[Tokens * Rows];
        var scratch = stackalloc float[4];
        for (var i = 0; i < Tokens * Rows; i++)
            (gates[i], factors[i]) = (i % 3 == 0 ? 0 : -1 - i, float.NaN);
        for (var i = 0; i < open.Length; i += 3)
        {
            for (var row = open[i + 1]; row <= open[i + 2]; row++)
                gates[(open[i] * Rows) + row] = i % 2 == 0 ? 0.5f : float.NaN;
        }

        var gate = new MatMulTask { Rows = Rows, Tokens = Tokens, Y = gates };
        var factor = new MatMulTask { Rows = Rows, RowsTogether = together, Tokens = Tokens, Y = factors, Kernel = &Ones };
        ActiveRows.Run(in gate, in factor, 0, Rows, scratch);
        for (var token = 0; token < Tokens; token++)
        {
            for (var row = 0; row < Rows; row++)
            {
                var isComputed = Enumerable.Range(0, computed.Length / 2).Any(i => row >= computed[2 * i] && row < computed[(2 * i) + 1]);
                Assert.Equal(isComputed ? 1f : 0f, factors[(token * Rows) + row]);
            }
        }
    }

    /// <summary>What was left out and what was computed behind a closed gate are the same zero.</summary>
    [Fact]
    public void A_closed_gate_gives_plus_zero_whatever_the_factor_is()
    {
        foreach (var kernels in new[] { KernelSet.Portable, KernelSet.Best })
        {
            float[] values = [0, -3, -0f, -1, 2, 0, -1, -2, -5, 3, -1];
            float[] others = [-1, -2, 5, float.NaN, 3, float.PositiveInfinity, 0, -0f, float.NegativeInfinity, -2, 1];
            fixed (float* gate = values, up = others)
                kernels.Gate(GateFunction.Relu)(gate, up, values.Length);
            Assert.Equal([0, 0, 0, 0, 6, 0, 0, 0, 0, -6, 0], values);
            Assert.All(values.Where(v => v == 0), v => Assert.False(float.IsNegative(v)));
        }
    }

    private static void Ones(in MatMulTask task, int begin, int end, float* scratch)
    {
        for (var token = 0; token < task.Tokens; token++)
        {
            for (var row = begin; row < end; row++)
                task.Put(token, row, 1);
        }
    }
}
