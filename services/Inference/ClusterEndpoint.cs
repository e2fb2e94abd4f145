using Grpc.Core;
using Slm.Contracts.Grains;
using Slm.Inference.Cluster;
using Slm.ServiceDefaults.Errors;
using Slm.V1;
using Silo = Slm.V1.Silo;

namespace Slm.Inference;

/// <summary>gRPC face of the silos of the cluster.</summary>
internal sealed class ClusterEndpoint(ModelGrains models, SiloDirectory silos) : ClusterService.ClusterServiceBase
{
    /// <inheritdoc/>
    public override async Task<ListSilosResponse> ListSilos(ListSilosRequest request, ServerCallContext context)
    {
        var known = await silos.ListAsync(context.CancellationToken);
        if (request.Measure)
            known = await MeasureAsync(known, context.CancellationToken);
        var links = known.Count > 1 ? (await silos.LinksAsync(known, context.CancellationToken)).ToLookup(l => l.From) : null;
        var names = known.ToDictionary(s => s.Silo, s => s.Name, StringComparer.Ordinal);
        var response = new ListSilosResponse();
        foreach (var info in known)
        {
            var silo = ToMessage(info);
            foreach (var link in links?[info.Silo] ?? [])
                silo.Links.Add(new Link { To = names[link.To], LatencyMs = link.LatencySeconds * 1000, BytesPerSecond = link.BytesPerSecond });
            response.Silos.Add(silo);
        }

        foreach (var address in silos.Active.Where(a => !names.ContainsKey(a)))
            response.Silos.Add(new Silo { Address = address, State = SiloState.Unreachable });
        return response;
    }

    /// <inheritdoc/>
    public override async Task<Silo> Drain(DrainRequest request, ServerCallContext context)
    {
        var info = await FindAsync(request.Silo, context.CancellationToken);
        var drained = await silos.Grain(info.Silo).DrainAsync(true);
        foreach (var model in drained.Parts.Select(p => p.Model).Distinct(StringComparer.Ordinal))
            await models.CallAsync(model, grain => grain.VacateAsync(info.Silo), context.CancellationToken);
        return ToMessage(await silos.Grain(info.Silo).GetAsync());
    }

    /// <inheritdoc/>
    public override async Task<Silo> Resume(ResumeRequest request, ServerCallContext context) =>
        ToMessage(await silos.Grain((await FindAsync(request.Silo, context.CancellationToken)).Silo).DrainAsync(false));

    /// <inheritdoc/>
    public override async Task<RebalanceResponse> Rebalance(RebalanceRequest request, ServerCallContext context) => new()
    {
        Model = request.Model,
        Moves = { await models.CallAsync(request.Model, grain => grain.RebalanceAsync(), context.CancellationToken) },
    };

    /// <summary>Silos of one machine must not measure each other: one after the other.</summary>
    private async Task<IReadOnlyList<SiloInfo>> MeasureAsync(IReadOnlyList<SiloInfo> known, CancellationToken cancellationToken)
    {
        var measured = new List<SiloInfo>();
        foreach (var silo in known)
            measured.Add(await silos.PatientAnswerAsync(silos.Grain(silo.Silo).MeasureSpeedAsync(), silo.Silo, cancellationToken));
        return measured;
    }

    private async Task<SiloInfo> FindAsync(string name, CancellationToken cancellationToken)
    {
        var known = await silos.ListAsync(cancellationToken);
        return known.FirstOrDefault(s => s.Name == name || s.Silo == name)
            ?? throw new FieldException("silo", $"silo is \"{name}\", which does not answer or is not there. There are: {string.Join(", ", known.Select(s => s.Name))}.");
    }

    private static Silo ToMessage(SiloInfo info)
    {
        var silo = new Silo
        {
            Silo_ = info.Name,
            Address = info.Silo,
            Host = info.Host,
            State = info.Draining ? SiloState.Draining : SiloState.Active,
            Labels = { info.Labels },
            Threads = info.Threads,
            FreeMemoryBytes = info.FreeMemoryBytes,
            ReadBytesPerSecond = info.ReadBytesPerSecond,
            MultiplyAddsPerSecond = info.MultiplyAddsPerSecond,
            Numerics = $"{info.Numerics} ({info.Kernels})",
        };
        silo.Parts.AddRange(info.Parts.Select(p => new HeldPart { Model = p.Model, Replica = p.Replica, Part = p.Part, WeightBytes = p.WeightBytes }));
        return silo;
    }
}
