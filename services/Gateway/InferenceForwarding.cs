using Grpc.Core;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Gateway;

/// <summary>
/// The inference service where it runs in other processes: calls are passed on as what they are, and go on at the next address when
/// the one that answers is lost. What shares the model with others is the caller, not the gateway.
/// </summary>
internal sealed class InferenceForwarding(PlatformClients clients) : InferenceService.InferenceServiceBase
{
    /// <inheritdoc/>
    public override async Task Generate(GenerateRequest request, IServerStreamWriter<GenerateResponse> responseStream, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        await foreach (var piece in clients.Answers.GenerateAsync(request, context.CancellationToken))
            await responseStream.WriteAsync(piece, context.CancellationToken);
    }

    /// <inheritdoc/>
    public override Task<GenerateOnceResponse> GenerateOnce(GenerateRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        return clients.Answers.GenerateOnceAsync(request, context.CancellationToken);
    }

    /// <inheritdoc/>
    public override Task<ScoreResponse> Score(ScoreRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        return clients.Answers.ScoreAsync(request, context.CancellationToken);
    }

    /// <inheritdoc/>
    public override Task<EmbedResponse> Embed(EmbedRequest request, ServerCallContext context)
    {
        request.Scheduling = CallTerms.Of(request.Scheduling, context);
        return clients.Answers.EmbedAsync(request, context.CancellationToken);
    }

    /// <inheritdoc/>
    public override Task<CheckConstraintResponse> CheckConstraint(CheckConstraintRequest request, ServerCallContext context) =>
        clients.Answers.CheckConstraintAsync(request, context.CancellationToken);
}
