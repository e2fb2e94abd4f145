namespace Slm.Training.Optimization;

/// <summary>Shape of the decay; x goes from 0 to 1 and r is the final ratio.</summary>
public enum DecayShape
{
    /// <summary>rˣ, that is 0.5^(steps/T) with T = decay steps·ln 0.5/ln r.</summary>
    Exponential,

    /// <summary>1 − (1 − r)·x.</summary>
    Linear,

    /// <summary>r + (1 − r)·(1 + cos πx)/2.</summary>
    Cosine,

    /// <summary>1 − (1 − r)·√x.</summary>
    OneMinusSqrt,
}

/// <summary>Warm-up, stable, decay (MiniCPM, 2024): the learning rate by step; the first update is step 1.</summary>
/// <param name="Peak">Learning rate η of the stable phase.</param>
/// <param name="WarmupSteps">W: η·s/W for s &lt; W.</param>
/// <param name="DecayStart">S: η up to and including this step.</param>
/// <param name="DecaySteps">Steps from S to the end.</param>
/// <param name="Shape">Shape of the decay.</param>
/// <param name="FinalRatio">r: the last step's rate is r·η.</param>
public sealed record WsdSchedule(double Peak, int WarmupSteps, int DecayStart, int DecaySteps, DecayShape Shape, double FinalRatio)
{
    /// <summary>Last step.</summary>
    public int TotalSteps => DecayStart + DecaySteps;

    /// <summary>Learning rate of step <paramref name="step"/>; beyond the end it stays at r·η.</summary>
    public double At(int step)
    {
        if (step < WarmupSteps)
            return Peak * step / WarmupSteps;
        if (step <= DecayStart)
            return Peak;
        var x = DecaySteps == 0 ? 1 : Math.Min(1, (double)(step - DecayStart) / DecaySteps);
        return Peak * Shape switch
        {
            DecayShape.Exponential => Math.Pow(FinalRatio, x),
            DecayShape.Linear => 1 - (1 - FinalRatio) * x,
            DecayShape.Cosine => FinalRatio + (1 - FinalRatio) * (1 + Math.Cos(Math.PI * x)) / 2,
            DecayShape.OneMinusSqrt => 1 - (1 - FinalRatio) * Math.Sqrt(x),
            _ => throw new InvalidOperationException($"Unknown decay {Shape}."),
        };
    }
}
