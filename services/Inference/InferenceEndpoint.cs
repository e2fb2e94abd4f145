using System.Text;
using Grpc.Core;
using Slm.Contracts.Grains;
using Slm.Inference.Mapping;
using Slm.Runtime;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Inference;

/// <summary>gRPC face of generation, scoring and embeddings: finds the model's grain and passes the call on.</summary>
internal sealed class InferenceEndpoint(IGrainFactory grains, ModelCatalog catalog) : InferenceService.InferenceServiceBase
{
    /// <inheritdoc/>
    public override async Task Generate(GenerateRequest request, IServerStreamWriter<GenerateResponse> responseStream, ServerCallContext context)
    {
        var cancelled = context.CancellationToken;
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        await foreach (var piece in Grain(request.Model, request.HasAdapter ? request.Adapter : null, name => request.Adapter = name).GenerateAsync(new(request), cancelled).WithCancellation(cancelled))
            await responseStream.WriteAsync(piece.Message, cancelled);
    }

    /// <inheritdoc/>
    public override async Task<GenerateOnceResponse> GenerateOnce(GenerateRequest request, ServerCallContext context)
    {
        var cancelled = context.CancellationToken;
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        var whole = new GenerateOnceResponse();
        var text = new StringBuilder();
        await foreach (var piece in Grain(request.Model, request.HasAdapter ? request.Adapter : null, name => request.Adapter = name).GenerateAsync(new(request), cancelled).WithCancellation(cancelled))
            whole.Append(piece.Message, text);
        whole.Text = text.ToString();
        return whole;
    }

    /// <inheritdoc/>
    public override async Task<ScoreResponse> Score(ScoreRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        return (await Grain(request.Model, request.HasAdapter ? request.Adapter : null, name => request.Adapter = name).ScoreAsync(new(request), context.CancellationToken)).Message;
    }

    /// <inheritdoc/>
    public override async Task<EmbedResponse> Embed(EmbedRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        return (await Grain(request.Model, request.HasAdapter ? request.Adapter : null, name => request.Adapter = name).EmbedAsync(new(request), context.CancellationToken)).Message;
    }

    /// <summary>The grain of a model, whose name may have an adapter behind it as well as the field of its own.</summary>
    private IModelGrain Grain(string model, string? adapter, Action<string> setAdapter)
    {
        var name = ModelName.Find(catalog, model);
        if (adapter is not null && name.Adapter is not null && name.Adapter != adapter)
            throw new FieldException("adapter", $"adapter is \"{adapter}\", but the model \"{model}\" names \"{name.Adapter}\". Leave one of them out.");
        if (name.Adapter is not null)
            setAdapter(name.Adapter);
        return grains.GetGrain<IModelGrain>(name.Model.Name);
    }
}
