using Slm.Engine.Formats;
using Slm.Engine.Kernels.Panels;

namespace Slm.Engine.Tests.Kernels;

public sealed unsafe class PanelPackerTests
{
    public static TheoryData<TensorType, int, int> Cases => new(
        from type in new[] { TensorType.Q4_0, TensorType.IQ4_NL, TensorType.Q4_1, TensorType.Q8_0, TensorType.Q4_K }
        from panelRows in new[] { 8, 16 }
        from rows in new[] { 3, 16, 37, 64 }
        select new TheoryDataRow<TensorType, int, int>(type, panelRows, rows));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Vectors_of_words_lie_where_single_words_would(TensorType type, int panelRows, int rows)
    {
        const int Columns = 768;
        var stored = new byte[TensorTypes.RowBytes(type, Columns) * rows];
        new Random(rows).NextBytes(stored);
        var panels = (rows + panelRows - 1) / panelRows;
        var expected = new byte[PanelLayout.Of(type)!.RowBytes(Columns) * panels * panelRows];
        var actual = new byte[expected.Length];
        fixed (byte* source = stored, one = expected, other = actual)
        {
            switch (type)
            {
                case TensorType.Q4_1:
                    PanelPacker.PackWords<StoredBlocks.Q41>(type, source, one, rows, Columns, panelRows);
                    break;
                case TensorType.Q8_0:
                    PanelPacker.PackWords<StoredBlocks.Q80>(type, source, one, rows, Columns, panelRows);
                    break;
                case TensorType.Q4_K:
                    PanelPacker.PackWords<StoredBlocks.Q4K>(type, source, one, rows, Columns, panelRows);
                    break;
                default:
                    PanelPacker.PackWords<StoredBlocks.Q40>(type, source, one, rows, Columns, panelRows);
                    break;
            }

            PanelPacker.Pack(type, source, other, rows, Columns, panelRows, 0, panels / 2);
            PanelPacker.Pack(type, source, other, rows, Columns, panelRows, panels / 2, panels);
        }

        Assert.Equal(expected, actual);
        Assert.Contains(actual, b => b != 0);
    }
}
