using Slm.Statistics;

namespace Slm.Router.Policies;

/// <summary>From a signal to the probability that the answer is right.</summary>
internal interface ICalibration
{
    double At(double signal);
}

/// <summary>Monotone, in steps with lines between them.</summary>
/// <param name="Function">What was fitted, of the signal times <paramref name="Sign"/>.</param>
/// <param name="Sign">-1 for signals of which less is better.</param>
internal sealed record IsotonicCalibration(IsotonicRegression Function, int Sign) : ICalibration
{
    public double At(double signal) => Math.Clamp(Function.At(Sign * signal), 0, 1);
}

/// <summary>A logistic curve.</summary>
internal sealed record LogisticCalibration(LogisticRegression Function) : ICalibration
{
    public double At(double signal) => Function.At(signal);
}
