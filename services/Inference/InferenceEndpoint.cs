using System.Text;
using Grpc.Core;
using Slm.Contracts.Grains;
using Slm.Inference.Mapping;
using Slm.Runtime;
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
        await foreach (var piece in Grain(request.Model).GenerateAsync(new(request), cancelled).WithCancellation(cancelled))
            await responseStream.WriteAsync(piece.Message, cancelled);
    }

    /// <inheritdoc/>
    public override async Task<GenerateOnceResponse> GenerateOnce(GenerateRequest request, ServerCallContext context)
    {
        var cancelled = context.CancellationToken;
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        var whole = new GenerateOnceResponse();
        var text = new StringBuilder();
        await foreach (var piece in Grain(request.Model).GenerateAsync(new(request), cancelled).WithCancellation(cancelled))
            whole.Append(piece.Message, text);
        whole.Text = text.ToString();
        return whole;
    }

    /// <inheritdoc/>
    public override async Task<ScoreResponse> Score(ScoreRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        return (await Grain(request.Model).ScoreAsync(new(request), context.CancellationToken)).Message;
    }

    /// <inheritdoc/>
    public override async Task<EmbedResponse> Embed(EmbedRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        return (await Grain(request.Model).EmbedAsync(new(request), context.CancellationToken)).Message;
    }

    private IModelGrain Grain(string model) => grains.GetGrain<IModelGrain>(catalog.Find(model).Name);
}
