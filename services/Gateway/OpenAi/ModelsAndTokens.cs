using System.Text.Json;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary><c>/v1/models</c>, and the tokenizer endpoints that vLLM and lm-eval share.</summary>
internal static class ModelsAndTokens
{
    public static async Task ListAsync(HttpContext context, PlatformClients clients) =>
        await context.Response.WriteAsJsonAsync(new ModelList("list", [.. await BodiesAsync(clients, context.RequestAborted)]), WireContext.Shared.ModelList, cancellationToken: context.RequestAborted);

    public static async Task GetAsync(HttpContext context, PlatformClients clients, string model)
    {
        // Names of the form "model:adapter" and those of the router are known to the list only.
        var found = !model.Contains(':', StringComparison.Ordinal) && model != RoutedModel.Name ? null
            : (await BodiesAsync(clients, context.RequestAborted)).FirstOrDefault(b => b.Id == model);
        found ??= Body(await clients.Models.GetAsync(new GetModelRequest { Model = model }, cancellationToken: context.RequestAborted));
        await context.Response.WriteAsJsonAsync(found, WireContext.Shared.ModelBody, cancellationToken: context.RequestAborted);
    }

    public static async Task TokenizeAsync(HttpContext context, JsonElement body, PlatformClients clients)
    {
        var fields = new RequestFields(body);
        var model = fields.String("model") ?? await DefaultModelAsync(clients, context.RequestAborted);
        var addSpecial = fields.Bool("add_special_tokens") ?? true;
        var wantsStrings = fields.Bool("return_token_strs") ?? false;
        fields.Harmless("add_generation_prompt");
        var encoding = new EncodeRequest { Model = model, Text = fields.RequiredString("prompt"), AddSpecialTokens = addSpecial };
        fields.RefuseUnknown();
        var encoded = await clients.Tokens.EncodeAsync(encoding, cancellationToken: context.RequestAborted);
        var info = await clients.Tokens.GetTokenizerInfoAsync(new GetTokenizerInfoRequest { Model = model }, cancellationToken: context.RequestAborted);
        await context.Response.WriteAsJsonAsync(new TokenizeBody(encoded.Ids, encoded.Ids.Count, info.ContextLength, wantsStrings ? encoded.Pieces : null),
            WireContext.Shared.TokenizeBody, cancellationToken: context.RequestAborted);
    }

    public static async Task DetokenizeAsync(HttpContext context, JsonElement body, PlatformClients clients)
    {
        var fields = new RequestFields(body);
        if (fields.Get("tokens") is null)
            throw OpenAiException.Invalid("tokens", "'tokens' is required.", "missing_required_parameter");
        var request = new DecodeRequest { Model = fields.String("model") ?? await DefaultModelAsync(clients, context.RequestAborted) };
        request.Ids.AddRange(fields.Ints("tokens"));
        fields.RefuseUnknown();
        var decoded = await clients.Tokens.DecodeAsync(request, cancellationToken: context.RequestAborted);
        await context.Response.WriteAsJsonAsync(new DetokenizeBody(decoded.Text), WireContext.Shared.DetokenizeBody, cancellationToken: context.RequestAborted);
    }

    public static async Task TokenizerInfoAsync(HttpContext context, PlatformClients clients, string? model)
    {
        model ??= await DefaultModelAsync(clients, context.RequestAborted);
        var info = await clients.Tokens.GetTokenizerInfoAsync(new GetTokenizerInfoRequest { Model = model }, cancellationToken: context.RequestAborted);
        var body = new TokenizerInfoBody(model, info.HasBosToken ? info.BosToken : null, info.HasEosToken ? info.EosToken : null,
            info.HasBosId ? info.BosId : null, info.HasEosId ? info.EosId : null, info.HasChatTemplate ? info.ChatTemplate : null,
            info.VocabSize, info.ContextLength, info.AddsBos, info.AddsEos);
        await context.Response.WriteAsJsonAsync(body, WireContext.Shared.TokenizerInfoBody, cancellationToken: context.RequestAborted);
    }

    /// <summary>These endpoints may leave the model out: then there must be only one, or one that is loaded.</summary>
    private static async Task<string> DefaultModelAsync(PlatformClients clients, CancellationToken cancellationToken)
    {
        var models = (await clients.Models.ListAsync(new ListModelsRequest(), cancellationToken: cancellationToken)).Models;
        var loaded = models.Where(m => m.State == ModelState.Loaded).ToList();
        if (loaded.Count == 1)
            return loaded[0].Model_;
        return models.Count == 1 ? models[0].Model_
            : throw OpenAiException.Invalid("model", $"'model' is required where several models can be meant: {string.Join(", ", models.Select(m => m.Model_))}.", "missing_required_parameter");
    }

    /// <summary>All models and adapters, and the names under which the router chooses one.</summary>
    private static async Task<IEnumerable<ModelBody>> BodiesAsync(PlatformClients clients, CancellationToken cancellationToken)
    {
        var routed = RoutedModel.PoliciesAsync(clients, cancellationToken);
        var models = (await clients.Models.ListAsync(new ListModelsRequest(), cancellationToken: cancellationToken)).Models;
        return models.SelectMany(Bodies).Concat(RoutedBodies(await routed, models));
    }

    /// <summary>A model, and one for each adapter that is loaded with it.</summary>
    private static IEnumerable<ModelBody> Bodies(Model model) =>
        [Body(model), .. model.Adapters.Select(adapter => Body(model) with { Id = $"{model.Model_}:{adapter.Adapter_}", Parent = model.Model_ })];

    private static IEnumerable<ModelBody> RoutedBodies(ListPoliciesResponse policies, IReadOnlyCollection<Model> models)
    {
        // Those that were never usable cannot be asked.
        var usable = policies.Policies.Where(p => p.Hash.Length > 0).ToArray();
        return [.. usable.Where(p => p.Name == policies.DefaultPolicy).Select(p => Routed(RoutedModel.Name, p)), .. usable.Select(p => Routed($"{RoutedModel.Name}:{p.Name}", p))];

        // Each of its models may be the one that answers, so that the smallest context is what can be relied on.
        ModelBody Routed(string name, PolicyInfo policy) => new(
            name, "model", 0, "slm-platform", models.Where(m => policy.Models.Contains(m.Model_)).Select(m => m.ContextLength).DefaultIfEmpty(0).Min());
    }

    private static ModelBody Body(Model model) => new(model.Model_, "model", model.Modified?.Seconds ?? 0, "slm-platform", model.ContextLength);
}
