using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Slm.Inference;

/// <summary>Ready when the silo is an active member of its cluster.</summary>
internal sealed class SiloHealthCheck(Orleans.Runtime.ISiloStatusOracle silo) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(silo.CurrentStatus == Orleans.Runtime.SiloStatus.Active
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Unhealthy($"The silo is {silo.CurrentStatus}."));
}
