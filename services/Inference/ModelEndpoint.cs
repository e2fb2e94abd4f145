using Grpc.Core;
using Slm.Contracts.Grains;
using Slm.Runtime;
using Slm.V1;

namespace Slm.Inference;

/// <summary>gRPC face of the model folder and of what is loaded.</summary>
internal sealed class ModelEndpoint(IGrainFactory grains, ModelCatalog catalog) : ModelService.ModelServiceBase
{
    /// <inheritdoc/>
    public override async Task<ListModelsResponse> List(ListModelsRequest request, ServerCallContext context)
    {
        var models = await Task.WhenAll(catalog.List().Select(entry => Grain(entry.Name).GetAsync()));
        var response = new ListModelsResponse();
        response.Models.AddRange(models.Select(m => m.Message));
        return response;
    }

    /// <inheritdoc/>
    public override async Task<Model> Get(GetModelRequest request, ServerCallContext context) =>
        (await Known(request.Model).GetAsync()).Message;

    /// <inheritdoc/>
    public override async Task<Model> Load(LoadModelRequest request, ServerCallContext context) =>
        (await Known(request.Model).LoadAsync(new(request)).WaitAsync(context.CancellationToken)).Message;

    /// <inheritdoc/>
    public override async Task<Model> Unload(UnloadModelRequest request, ServerCallContext context) =>
        (await Known(request.Model).UnloadAsync().WaitAsync(context.CancellationToken)).Message;

    /// <inheritdoc/>
    public override async Task<ModelDescription> Describe(DescribeModelRequest request, ServerCallContext context) =>
        (await Known(request.Model).DescribeAsync()).Message;

    /// <inheritdoc/>
    public override async Task<Adapter> LoadAdapter(LoadAdapterRequest request, ServerCallContext context) =>
        (await Known(request.Model).LoadAdapterAsync(new(request)).WaitAsync(context.CancellationToken)).Message;

    /// <inheritdoc/>
    public override async Task<Adapter> UnloadAdapter(UnloadAdapterRequest request, ServerCallContext context) =>
        (await Known(request.Model).UnloadAdapterAsync(new(request)).WaitAsync(context.CancellationToken)).Message;

    /// <inheritdoc/>
    public override async Task<ListAdaptersResponse> ListAdapters(ListAdaptersRequest request, ServerCallContext context) =>
        new() { Adapters = { (await Known(request.Model).GetAsync()).Message.Adapters } };

    private IModelGrain Known(string model) => Grain(catalog.Find(model).Name);

    private IModelGrain Grain(string model) => grains.GetGrain<IModelGrain>(model);
}
