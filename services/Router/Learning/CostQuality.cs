using Slm.Router.Policies;
using Slm.Statistics;
using Slm.V1;

namespace Slm.Router.Learning;

/// <summary>What escalating the least sure answers of one stage to another gives and costs, over all thresholds.</summary>
internal static class CostQuality
{
    private const int MostPoints = 60;

    /// <summary>The curve, and routing by the signal against routing by chance.</summary>
    /// <param name="from">The stage that is asked first.</param>
    /// <param name="to">The stage that is asked next.</param>
    /// <param name="items">What both made of each case.</param>
    /// <param name="seed">Of the bootstrap.</param>
    public static CostQualityCurve Curve(StagePolicy from, StagePolicy to, IReadOnlyList<PairItem> items, ulong seed)
    {
        var curve = new CostQualityCurve { FromStage = from.Name, ToStage = to.Name, Signal = from.Accept?.Signal ?? SignalNames.MeanLogProb };
        var order = items.OrderBy(i => i.Confidence).ToArray();
        var n = order.Length;
        if (n == 0)
            return curve;
        var (accuracyFrom, accuracyTo) = (order.Average(i => i.FromCorrect ? 1.0 : 0), order.Average(i => i.ToCorrect ? 1.0 : 0));
        var points = new List<(int Escalated, CostQualityPoint Point)>();
        for (var k = 0; k <= n; k++)
        {
            // Answers that are equally sure go together.
            if (k > 0 && k < n && order[k].Confidence == order[k - 1].Confidence)
                continue;
            var correct = order[..k].Count(i => i.ToCorrect) + order[k..].Count(i => i.FromCorrect);
            var cost = order.Sum(i => i.FromCost) + order[..k].Sum(i => i.ToCost);
            var escalation = (double)k / n;
            var point = new CostQualityPoint
            {
                Threshold = k < n ? order[k].Confidence : double.MaxValue,
                Escalation = escalation,
                MeanCost = cost / n,
                Accuracy = (double)correct / n,
                RandomAccuracy = ((1 - escalation) * accuracyFrom) + (escalation * accuracyTo),
            };
            if (correct > 0)
                point.CostPerSuccess = cost / correct;
            points.Add((k, point));
        }

        var step = Math.Max(1, (points.Count + MostPoints - 1) / MostPoints);
        curve.Points.Add(points.Where((_, i) => i % step == 0 || i == points.Count - 1).Select(p => p.Point));
        Compare(curve, from, order, points, seed);
        return curve;
    }

    /// <summary>
    /// At the escalation that the stage's rule gives (without one, nearest to one half): the gain of each case over what escalating the
    /// same share by chance is expected to give it.
    /// </summary>
    private static void Compare(CostQualityCurve curve, StagePolicy from, PairItem[] order, List<(int Escalated, CostQualityPoint Point)> points, ulong seed)
    {
        var inner = points.Where(p => p.Escalated > 0 && p.Escalated < order.Length).ToArray();
        if (inner.Length == 0)
            return;
        var wanted = from.Accept is null ? order.Length / 2 : order.Count(i => !i.Accepted);
        var (escalated, point) = inner.MinBy(p => Math.Abs(p.Escalated - wanted));
        double[] routed = [.. order.Select((i, index) => (index < escalated ? i.ToCorrect : i.FromCorrect) ? 1.0 : 0)];
        double[] random = [.. order.Select(i => ((1 - point.Escalation) * (i.FromCorrect ? 1 : 0)) + (point.Escalation * (i.ToCorrect ? 1 : 0)))];
        var (difference, p) = Bootstrap.Paired(routed, random, seed);
        curve.ComparedEscalation = point.Escalation;
        (curve.Gain, curve.GainLower, curve.GainUpper, curve.PValue) = (difference.Estimate, difference.Lower, difference.Upper, p);
    }
}

/// <summary>A case that two stages were asked.</summary>
/// <param name="Confidence">Of the first; more is surer.</param>
/// <param name="Accepted">The first one's rule accepts it.</param>
/// <param name="FromCorrect">The first was right.</param>
/// <param name="ToCorrect">The second was right.</param>
/// <param name="FromCost">Cost of the first.</param>
/// <param name="ToCost">Cost of the second alone.</param>
internal readonly record struct PairItem(double Confidence, bool Accepted, bool FromCorrect, bool ToCorrect, double FromCost, double ToCost);
