namespace Slm.Statistics;

/// <summary>
/// P(positive) = 1 / (1 + exp(-(b + w·x))), fitted by Newton's method to the greatest likelihood with a penalty l2/2·|w|² (not on b).
/// With one feature it is Platt's calibration (1999).
/// </summary>
public sealed class LogisticRegression
{
    private const int MostSteps = 100;

    private LogisticRegression(double bias, double[] weights) => (Bias, Weights) = (bias, weights);

    /// <summary>b.</summary>
    public double Bias { get; }

    /// <summary>w, one for each feature.</summary>
    public IReadOnlyList<double> Weights { get; }

    /// <summary>One that was fitted before.</summary>
    public static LogisticRegression From(double bias, IReadOnlyList<double> weights) => new(bias, [.. weights]);

    /// <summary>Fits it.</summary>
    /// <param name="features">A row for each item, all of the same length.</param>
    /// <param name="outcomes">The outcome of each.</param>
    /// <param name="l2">The penalty; above 0 it keeps weights finite where the classes can be separated.</param>
    public static LogisticRegression Fit(IReadOnlyList<double[]> features, IReadOnlyList<bool> outcomes, double l2 = 1e-3)
    {
        ArgumentNullException.ThrowIfNull(features);
        ArgumentNullException.ThrowIfNull(outcomes);
        ArgumentOutOfRangeException.ThrowIfZero(features.Count, nameof(features));
        ArgumentOutOfRangeException.ThrowIfNegative(l2);
        if (features.Count != outcomes.Count)
            throw new ArgumentException($"There are {features.Count} rows of features and {outcomes.Count} outcomes; each row needs one.", nameof(outcomes));
        var width = features[0].Length;
        if (features.Any(f => f.Length != width || f.Any(v => !double.IsFinite(v))))
            throw new ArgumentException($"Each row must have {width} finite numbers.", nameof(features));
        // The bias is the last coefficient.
        var beta = new double[width + 1];
        var loss = Loss(features, outcomes, beta, l2);
        for (var step = 0; step < MostSteps; step++)
        {
            var (gradient, hessian) = Derivatives(features, outcomes, beta, l2);
            var direction = Solve(hessian, gradient);
            // Newton's step may overshoot far from the optimum.
            var (scale, next, better) = (1.0, beta, loss);
            for (; scale > 1e-10; scale /= 2)
            {
                next = [.. beta.Zip(direction, (b, d) => b - (scale * d))];
                better = Loss(features, outcomes, next, l2);
                if (better <= loss)
                    break;
            }

            var moved = direction.Max(d => Math.Abs(d * scale));
            if (better <= loss)
                (beta, loss) = (next, better);
            if (moved < 1e-12 || better > loss)
                break;
        }

        return new(beta[^1], beta[..^1]);
    }

    /// <summary>The probability of a row.</summary>
    public double At(params ReadOnlySpan<double> features)
    {
        if (features.Length != Weights.Count)
            throw new ArgumentException($"There are {features.Length} features; this was fitted to {Weights.Count}.", nameof(features));
        var sum = Bias;
        for (var i = 0; i < features.Length; i++)
            sum += Weights[i] * features[i];
        return Sigmoid(sum);
    }

    private static double Sigmoid(double z) => z >= 0 ? 1 / (1 + Math.Exp(-z)) : Math.Exp(z) / (1 + Math.Exp(z));

    private static double Linear(double[] row, double[] beta)
    {
        var sum = beta[^1];
        for (var i = 0; i < row.Length; i++)
            sum += beta[i] * row[i];
        return sum;
    }

    private static double Loss(IReadOnlyList<double[]> features, IReadOnlyList<bool> outcomes, double[] beta, double l2)
    {
        var loss = beta[..^1].Sum(b => b * b) * l2 / 2;
        for (var i = 0; i < features.Count; i++)
        {
            var z = Linear(features[i], beta) * (outcomes[i] ? -1 : 1);
            // ln(1 + e^z) without overflow.
            loss += Math.Max(z, 0) + Math.Log(1 + Math.Exp(-Math.Abs(z)));
        }

        return loss;
    }

    private static (double[] Gradient, double[][] Hessian) Derivatives(IReadOnlyList<double[]> features, IReadOnlyList<bool> outcomes, double[] beta, double l2)
    {
        var size = beta.Length;
        var gradient = new double[size];
        var hessian = Enumerable.Range(0, size).Select(_ => new double[size]).ToArray();
        var row = new double[size];
        row[^1] = 1;
        for (var n = 0; n < features.Count; n++)
        {
            features[n].CopyTo(row, 0);
            var p = Sigmoid(Linear(features[n], beta));
            var (error, weight) = (p - (outcomes[n] ? 1 : 0), p * (1 - p));
            for (var i = 0; i < size; i++)
            {
                gradient[i] += error * row[i];
                for (var j = 0; j < size; j++)
                    hessian[i][j] += weight * row[i] * row[j];
            }
        }

        for (var i = 0; i < size; i++)
        {
            if (i + 1 < size)
                gradient[i] += l2 * beta[i];
            // A trace of it on the bias keeps the matrix invertible where all probabilities are 0 or 1.
            hessian[i][i] += i + 1 < size ? l2 + 1e-12 : 1e-12;
        }

        return (gradient, hessian);
    }

    /// <summary>Gaussian elimination with partial pivoting.</summary>
    private static double[] Solve(double[][] matrix, double[] right)
    {
        var size = right.Length;
        var rows = matrix.Select((r, i) => (double[])[.. r, right[i]]).ToArray();
        for (var column = 0; column < size; column++)
        {
            var pivot = Enumerable.Range(column, size - column).MaxBy(r => Math.Abs(rows[r][column]));
            (rows[column], rows[pivot]) = (rows[pivot], rows[column]);
            for (var r = column + 1; r < size; r++)
            {
                var factor = rows[r][column] / rows[column][column];
                for (var c = column; c <= size; c++)
                    rows[r][c] -= factor * rows[column][c];
            }
        }

        var solution = new double[size];
        for (var r = size - 1; r >= 0; r--)
        {
            var sum = rows[r][size];
            for (var c = r + 1; c < size; c++)
                sum -= rows[r][c] * solution[c];
            solution[r] = sum / rows[r][r];
        }

        return solution;
    }
}
