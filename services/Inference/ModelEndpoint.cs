using Grpc.Core;
using Slm.Contracts.Grains;
using Slm.Inference.Cluster;
using Slm.Runtime;
using Slm.V1;

namespace Slm.Inference;

/// <summary>gRPC face of the model folders of all silos and of what is loaded.</summary>
internal sealed class ModelEndpoint(ModelGrains models) : ModelService.ModelServiceBase
{
    /// <inheritdoc/>
    public override async Task<ListModelsResponse> List(ListModelsRequest request, ServerCallContext context)
    {
        var names = await models.ListAsync(context.CancellationToken);
        var listed = await Task.WhenAll(names.Select(name => models.CallAsync(name, grain => grain.GetAsync(), context.CancellationToken)));
        var response = new ListModelsResponse();
        response.Models.AddRange(listed.Select(m => m.Message));
        return response;
    }

    /// <inheritdoc/>
    public override Task<Model> Get(GetModelRequest request, ServerCallContext context) => CallAsync(request.Model, grain => grain.GetAsync(), context);

    /// <inheritdoc/>
    public override Task<Model> Load(LoadModelRequest request, ServerCallContext context) => CallAsync(request.Model, grain => grain.LoadAsync(new(request)), context);

    /// <inheritdoc/>
    public override Task<Model> Unload(UnloadModelRequest request, ServerCallContext context) => CallAsync(request.Model, grain => grain.UnloadAsync(), context);

    /// <inheritdoc/>
    public override Task<ModelDescription> Describe(DescribeModelRequest request, ServerCallContext context) => CallAsync(request.Model, grain => grain.DescribeAsync(), context);

    /// <inheritdoc/>
    public override Task<Adapter> LoadAdapter(LoadAdapterRequest request, ServerCallContext context) =>
        CallAsync(request.Model, grain => grain.LoadAdapterAsync(new(request)), context);

    /// <inheritdoc/>
    public override Task<Adapter> UnloadAdapter(UnloadAdapterRequest request, ServerCallContext context) =>
        CallAsync(request.Model, grain => grain.UnloadAdapterAsync(new(request)), context);

    /// <inheritdoc/>
    public override async Task<ListAdaptersResponse> ListAdapters(ListAdaptersRequest request, ServerCallContext context) =>
        new() { Adapters = { (await CallAsync(request.Model, grain => grain.GetAsync(), context)).Adapters } };

    private async Task<T> CallAsync<T>(string name, Func<IModelGrain, Task<Payload<T>>> call, ServerCallContext context)
        where T : class, Google.Protobuf.IMessage<T>, new()
    {
        var (model, adapter) = await models.FindAsync(name, context.CancellationToken);
        return adapter is null
            ? (await models.CallAsync(model, call, context.CancellationToken)).Message
            : throw new ModelNotFoundException(name, await models.ListAsync(context.CancellationToken));
    }
}
