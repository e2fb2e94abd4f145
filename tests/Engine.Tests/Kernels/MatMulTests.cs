using Slm.Engine.Execution;
using Slm.Engine.Formats;
using Slm.Engine.Kernels;
using Slm.Engine.Kernels.Panels;
using Slm.Engine.Quantization;
using Slm.Engine.Tests.Stages;

namespace Slm.Engine.Tests.Kernels;

public sealed unsafe class MatMulTests
{
    private static readonly (int Rows, int Columns, int Tokens)[] Shapes =
        [(1, 32, 1), (4, 64, 1), (7, 96, 2), (8, 32, 3), (13, 160, 5), (5, 576, 70), (30, 64, 130)];

    private static readonly (int Rows, int Columns, int Tokens)[] LongShapes = [(1, 256, 1), (7, 512, 2), (16, 256, 4), (13, 768, 5), (40, 256, 70), (33, 1280, 9)];

    private static readonly (int Rows, int Columns, int Tokens)[] OddShapes = [(3, 1, 1), (6, 7, 4), (9, 33, 8), (11, 75, 50)];

    public static TheoryData<TensorType, string> Cases
    {
        get
        {
            var cases = new TheoryData<TensorType, string>();
            foreach (var type in RowDequantizer.Supported)
            {
                foreach (var kernels in StepRunner.KernelSets)
                    cases.Add(type, kernels);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_product_is_that_of_the_scalar_twin(TensorType type, string kernels)
    {
        foreach (var shape in ShapesOf(type))
        {
            using var product = new Product(type, shape.Rows, shape.Columns, shape.Tokens, kernels);
            product.Run(0, shape.Rows, 0, shape.Tokens);
            for (var t = 0; t < shape.Tokens; t++)
            {
                var x = product.Activations(t);
                for (var r = 0; r < shape.Rows; r++)
                {
                    var w = product.WeightRow(r);
                    Assert.Equal(ScalarTwins.Dot(w, x), product.Y[(t * shape.Rows) + r], 1e-6 * (1 + ScalarTwins.AbsoluteDot(w, x)));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void An_element_has_the_same_bits_alone_and_among_others(TensorType type, string kernels)
    {
        foreach (var shape in ShapesOf(type))
        {
            using var product = new Product(type, shape.Rows, shape.Columns, shape.Tokens, kernels);
            product.Run(0, shape.Rows, 0, shape.Tokens);
            var together = product.Y.ToArray();

            product.Y.Clear();
            for (var t = 0; t < shape.Tokens; t++)
            {
                for (var r = 0; r < shape.Rows; r += product.RowUnit)
                    product.Run(r, Math.Min(shape.Rows, r + product.RowUnit), t, 1);
            }

            Assert.Equal(Bits(together), Bits(product.Y));

            product.Y.Clear();
            for (var t = 0; t < shape.Tokens; t += 2)
                product.Run(0, shape.Rows, t, Math.Min(2, shape.Tokens - t));
            Assert.Equal(Bits(together), Bits(product.Y));
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Panels_made_on_the_way_give_the_same_bits(TensorType type, string kernels)
    {
        if (PanelLayout.Of(type) is null)
            return;
        foreach (var shape in ShapesOf(type))
        {
            using var product = new Product(type, shape.Rows, shape.Columns, shape.Tokens, kernels);
            product.Run(0, shape.Rows, 0, shape.Tokens);
            var packed = product.Y.ToArray();
            product.Y.Fill(float.NaN);
            product.Run(0, shape.Rows, 0, shape.Tokens, stored: true);
            Assert.Equal(Bits(packed), Bits(product.Y));

            product.Y.Fill(float.NaN);
            for (var r = 0; r < shape.Rows; r += product.RowUnit)
                product.Run(r, Math.Min(shape.Rows, r + product.RowUnit), 0, shape.Tokens, stored: true);
            Assert.Equal(Bits(packed), Bits(product.Y));
        }
    }

    [Fact]
    public void Sets_of_the_same_numerics_give_the_same_bits()
    {
        foreach (var type in RowDequantizer.Supported)
        {
            var shape = ShapesOf(type).Last();
            var results = new Dictionary<string, int[]>();
            foreach (var set in KernelSet.Available)
            {
                using var product = new Product(type, shape.Rows, shape.Columns, shape.Tokens, set.Name);
                product.Run(0, shape.Rows, 0, shape.Tokens);
                if (!results.TryAdd(set.Numerics, Bits(product.Y)))
                    Assert.Equal(results[set.Numerics], Bits(product.Y));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Bias_and_previous_value_are_added(TensorType type, string kernels)
    {
        using var product = new Product(type, 6, 256, 4, kernels);
        product.Run(0, 6, 0, 4);
        var plain = product.Y.ToArray();
        var bias = stackalloc float[6] { 1, 2, 3, 4, 5, 6 };
        product.Y.Fill(0.5f);
        product.Run(0, 6, 0, 4, bias, accumulate: true);
        for (var i = 0; i < plain.Length; i++)
            Assert.Equal(0.5f + (plain[i] + bias[i % 6]), product.Y[i]);
    }

    private static IEnumerable<(int Rows, int Columns, int Tokens)> ShapesOf(TensorType type) =>
        TensorTypes.BlockElements(type) switch
        {
            1 => Shapes.Concat(OddShapes),
            32 => Shapes,
            _ => LongShapes,
        };

    private static int[] Bits(ReadOnlySpan<float> values) => System.Runtime.InteropServices.MemoryMarshal.Cast<float, int>(values).ToArray();

    /// <summary>Random weights and activations of a product, with their double-precision view.</summary>
    private sealed class Product : IDisposable
    {
        private readonly TensorType _type;
        private readonly int _rows, _columns;
        private readonly long _rowBytes;
        private readonly PanelLayout? _layout;
        private readonly NativeBuffer? _panels;
        private readonly NativeBuffer _weights, _x, _int8, _scales, _y, _scratch;
        private readonly KernelSet _kernels;
        private readonly int _tokens;

        public Product(TensorType type, int rows, int columns, int tokens, string kernels)
        {
            _type = type;
            _rows = rows;
            _columns = columns;
            _tokens = tokens;
            _kernels = StepRunner.Kernels(kernels);
            _rowBytes = TensorTypes.RowBytes(type, columns);
            _weights = new NativeBuffer(_rowBytes * rows);
            _x = new NativeBuffer((long)tokens * columns * 4);
            _int8 = new NativeBuffer((long)tokens * columns);
            _scales = new NativeBuffer((long)tokens * columns / 32 * sizeof(ActivationScale));
            _y = new NativeBuffer((long)tokens * rows * 4);
            _scratch = new NativeBuffer(MatMulTask.ScratchFloats(columns) * sizeof(float));
            var random = new Random(rows * 31 + columns);
            FillWeights(random);
            _layout = PanelLayout.Of(type);
            if (_layout is not null)
            {
                var panels = (rows + _kernels.PanelRows - 1) / _kernels.PanelRows;
                _panels = new NativeBuffer(_layout.RowBytes(columns) * panels * _kernels.PanelRows);
                PanelPacker.Pack(type, _weights.Pointer, _panels.Pointer, rows, columns, _kernels.PanelRows, 0, panels);
            }

            for (var i = 0; i < tokens * columns; i++)
                ((float*)_x.Pointer)[i] = (random.NextSingle() - 0.5f) * 4;
            if (_layout is not null)
            {
                for (var t = 0; t < tokens; t++)
                {
                    ActivationQuantizer.Quantize(
                        (float*)_x.Pointer + (t * columns), (sbyte*)_int8.Pointer + (t * columns), (ActivationScale*)_scales.Pointer + (t * columns / 32), columns);
                }
            }
        }

        public Span<float> Y => new(_y.Pointer, _tokens * _rows);

        /// <summary>Rows that a kernel takes at least.</summary>
        public int RowUnit => _layout is null ? 1 : _kernels.PanelRows;

        public void Run(int begin, int end, int token, int tokens, float* bias = null, bool accumulate = false, bool stored = false)
        {
            var task = new MatMulTask
            {
                Weights = stored ? null : _panels is null ? _weights.Pointer : _panels.Pointer,
                Stored = stored ? _weights.Pointer : null,
                Type = _type,
                RowsTogether = RowUnit,
                RowBytes = (nint)(_layout?.RowBytes(_columns) ?? _rowBytes),
                Rows = _rows,
                Columns = _columns,
                Tokens = tokens,
                X = (float*)_x.Pointer + (token * _columns),
                XInt8 = (sbyte*)_int8.Pointer + (token * _columns),
                XScales = (ActivationScale*)_scales.Pointer + (token * (_columns / 32)),
                Y = (float*)_y.Pointer + (token * _rows),
                Bias = bias,
                Accumulate = accumulate,
                Kernel = _kernels.MatMul(_type),
            };
            task.Run(begin, end, (float*)_scratch.Pointer);
        }

        public double[] WeightRow(int row) => ScalarTwins.Dequantize(_type, new ReadOnlySpan<byte>(_weights.Pointer + (row * _rowBytes), (int)_rowBytes), _columns);

        /// <summary>What the kernel is given: quantized activations count as exact.</summary>
        public double[] Activations(int token)
        {
            var values = new double[_columns];
            for (var i = 0; i < _columns; i++)
            {
                var at = (token * _columns) + i;
                values[i] = _layout is not null
                    ? (double)((ActivationScale*)_scales.Pointer)[at / 32].Scale * ((sbyte*)_int8.Pointer)[at]
                    : ((float*)_x.Pointer)[at];
            }

            return values;
        }

        public void Dispose()
        {
            foreach (var buffer in new[] { _weights, _x, _int8, _scales, _y, _scratch })
                buffer.Dispose();
        }

        /// <summary>Where a block has F16 values.</summary>
        private static int[] ScaleOffsets(TensorType type) => type switch
        {
            TensorType.Q2_K => [80, 82],
            TensorType.Q3_K => [108],
            TensorType.Q6_K => [208],
            TensorType.Q4_1 or TensorType.Q5_1 or TensorType.Q4_K or TensorType.Q5_K => [0, 2],
            _ => [0],
        };

        private void FillWeights(Random random)
        {
            var bytes = new Span<byte>(_weights.Pointer, (int)(_rowBytes * _rows));
            if (TensorTypes.BlockElements(_type) > 1)
            {
                // Any byte is a valid quant, -128 included; the scales must be finite.
                random.NextBytes(bytes);
                for (var block = 0; block < bytes.Length; block += TensorTypes.BlockBytes(_type))
                {
                    foreach (var offset in ScaleOffsets(_type))
                        BitConverter.TryWriteBytes(bytes[(block + offset)..], (Half)((random.NextSingle() - 0.5f) / 8));
                }

                return;
            }

            for (var i = 0; i < _rows * _columns; i++)
            {
                var value = random.NextSingle() - 0.5f;
                if (_type == TensorType.F32)
                    ((float*)_weights.Pointer)[i] = value;
                else
                    ((ushort*)_weights.Pointer)[i] = _type == TensorType.F16 ? BitConverter.HalfToUInt16Bits((Half)value) : (ushort)(BitConverter.SingleToInt32Bits(value) >> 16);
            }
        }
    }
}
