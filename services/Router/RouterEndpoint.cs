using Grpc.Core;
using Slm.V1;

namespace Slm.Router;

/// <summary>gRPC face of the service; what is not there yet says so.</summary>
internal sealed class RouterEndpoint : RouterService.RouterServiceBase
{
    /// <inheritdoc/>
    public override Task<RouteDecision> Route(RouteRequest request, ServerCallContext context) =>
        throw new RpcException(new Status(StatusCode.Unimplemented, "Routing between models is not there yet. Name a model in the request itself."));
}
