using Grpc.Core;
using Slm.Engine.Constraints;
using Slm.Inference.Cluster;
using Slm.Inference.Mapping;
using Slm.ServiceDefaults;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Inference;

/// <summary>gRPC face of generation, scoring and embeddings: finds the model and passes the call on to a replica of it.</summary>
internal sealed class InferenceEndpoint(ReplicaCalls replicas, ModelGrains models, TimeProvider time) : InferenceService.InferenceServiceBase
{
    /// <inheritdoc/>
    public override async Task Generate(GenerateRequest request, IServerStreamWriter<GenerateResponse> responseStream, ServerCallContext context)
    {
        var cancelled = context.CancellationToken;
        await PrepareAsync(request, context);
        await foreach (var piece in replicas.GenerateAsync(request, cancelled))
            await responseStream.WriteAsync(piece, cancelled);
    }

    /// <inheritdoc/>
    public override async Task<GenerateOnceResponse> GenerateOnce(GenerateRequest request, ServerCallContext context)
    {
        await PrepareAsync(request, context);
        return await WholeAnswer.OfAsync(replicas.GenerateAsync(request, context.CancellationToken), context.CancellationToken);
    }

    /// <inheritdoc/>
    public override async Task<ScoreResponse> Score(ScoreRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        var model = await ResolveAsync(request.Model, request.HasAdapter ? request.Adapter : null, name => request.Adapter = name, context.CancellationToken);
        return (await replicas.CallAsync(model, replica => replica.ScoreAsync(new(request), context.CancellationToken), context.CancellationToken)).Message;
    }

    /// <inheritdoc/>
    public override async Task<EmbedResponse> Embed(EmbedRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        var model = await ResolveAsync(request.Model, request.HasAdapter ? request.Adapter : null, name => request.Adapter = name, context.CancellationToken);
        return (await replicas.CallAsync(model, replica => replica.EmbedAsync(new(request), context.CancellationToken), context.CancellationToken)).Message;
    }

    /// <inheritdoc/>
    public override async Task<CheckConstraintResponse> CheckConstraint(CheckConstraintRequest request, ServerCallContext context)
    {
        if (request.Constraint is null)
            throw new FieldException("constraint", "constraint is missing.");
        var source = ConstraintMapping.ToSource(request.Constraint);
        var begun = time.GetTimestamp();
        var (accepted, keywords) = await Task.Run(() => CompiledConstraint.Check(source), context.CancellationToken);
        var response = new CheckConstraintResponse { Accepted = accepted, CompileMs = time.GetElapsedTime(begun).TotalMilliseconds };
        response.Keywords.AddRange(ConstraintMapping.ToReports(keywords));
        return response;
    }

    private async Task PrepareAsync(GenerateRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        request.Model = await ResolveAsync(request.Model, request.HasAdapter ? request.Adapter : null, name => request.Adapter = name, context.CancellationToken);
    }

    /// <summary>The name of a model, which may have an adapter behind it as well as the field of its own.</summary>
    private async Task<string> ResolveAsync(string name, string? adapter, Action<string> setAdapter, CancellationToken cancellationToken)
    {
        var (model, named) = await models.FindAsync(name, cancellationToken);
        if (adapter is not null && named is not null && named != adapter)
            throw new FieldException("adapter", $"adapter is \"{adapter}\", but the model \"{name}\" names \"{named}\". Leave one of them out.");
        if (named is not null)
            setAdapter(named);
        return model;
    }
}
