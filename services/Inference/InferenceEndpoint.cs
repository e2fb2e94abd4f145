using Grpc.Core;
using Slm.Inference.Cluster;
using Slm.Runtime;
using Slm.ServiceDefaults;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Inference;

/// <summary>gRPC face of generation, scoring and embeddings: finds the model and passes the call on to a replica of it.</summary>
internal sealed class InferenceEndpoint(ReplicaCalls replicas, ModelCatalog catalog) : InferenceService.InferenceServiceBase
{
    /// <inheritdoc/>
    public override async Task Generate(GenerateRequest request, IServerStreamWriter<GenerateResponse> responseStream, ServerCallContext context)
    {
        var cancelled = context.CancellationToken;
        Prepare(request, context);
        await foreach (var piece in replicas.GenerateAsync(request, cancelled))
            await responseStream.WriteAsync(piece, cancelled);
    }

    /// <inheritdoc/>
    public override Task<GenerateOnceResponse> GenerateOnce(GenerateRequest request, ServerCallContext context)
    {
        Prepare(request, context);
        return WholeAnswer.OfAsync(replicas.GenerateAsync(request, context.CancellationToken), context.CancellationToken);
    }

    /// <inheritdoc/>
    public override async Task<ScoreResponse> Score(ScoreRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        var model = Resolve(request.Model, request.HasAdapter ? request.Adapter : null, name => request.Adapter = name);
        return (await replicas.CallAsync(model, replica => replica.ScoreAsync(new(request), context.CancellationToken), context.CancellationToken)).Message;
    }

    /// <inheritdoc/>
    public override async Task<EmbedResponse> Embed(EmbedRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        var model = Resolve(request.Model, request.HasAdapter ? request.Adapter : null, name => request.Adapter = name);
        return (await replicas.CallAsync(model, replica => replica.EmbedAsync(new(request), context.CancellationToken), context.CancellationToken)).Message;
    }

    private void Prepare(GenerateRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        request.Model = Resolve(request.Model, request.HasAdapter ? request.Adapter : null, name => request.Adapter = name);
    }

    /// <summary>The name of a model, which may have an adapter behind it as well as the field of its own.</summary>
    private string Resolve(string model, string? adapter, Action<string> setAdapter)
    {
        var name = ModelName.Find(catalog, model);
        if (adapter is not null && name.Adapter is not null && name.Adapter != adapter)
            throw new FieldException("adapter", $"adapter is \"{adapter}\", but the model \"{model}\" names \"{name.Adapter}\". Leave one of them out.");
        if (name.Adapter is not null)
            setAdapter(name.Adapter);
        return name.Model.Name;
    }
}
