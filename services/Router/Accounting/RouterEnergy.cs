namespace Slm.Router.Accounting;

/// <summary>The meter, where there is something to read.</summary>
internal sealed record RouterEnergy(EnergyMeter? Meter);
