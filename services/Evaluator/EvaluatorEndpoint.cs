using Grpc.Core;
using Slm.V1;

namespace Slm.Evaluator;

/// <summary>gRPC face of the service; what is not there yet says so.</summary>
internal sealed class EvaluatorEndpoint : EvaluatorService.EvaluatorServiceBase
{
    /// <inheritdoc/>
    public override Task<Job> Submit(SubmitEvaluationRequest request, ServerCallContext context) => throw NotThere();

    /// <inheritdoc/>
    public override Task<Job> Get(GetJobRequest request, ServerCallContext context) => throw NotThere();

    /// <inheritdoc/>
    public override Task<ListJobsResponse> List(ListJobsRequest request, ServerCallContext context) => throw NotThere();

    /// <inheritdoc/>
    public override Task Watch(WatchJobRequest request, IServerStreamWriter<JobEvent> responseStream, ServerCallContext context) => throw NotThere();

    /// <inheritdoc/>
    public override Task<Job> Cancel(CancelJobRequest request, ServerCallContext context) => throw NotThere();

    private static RpcException NotThere() =>
        new(new Status(StatusCode.Unimplemented, "Evaluation jobs are not there yet. InferenceService.Score gives the log-probabilities an evaluation needs."));
}
