using System.CommandLine;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Engine.Execution;
using Slm.Engine.Planning;
using Slm.Engine.Speculation;
using Slm.V1;
using Spectre.Console;
using WireFormat = Slm.Engine.Wire.WireFormat;

namespace Slm.Cli.Commands;

/// <summary><c>slm load</c> and <c>slm unload</c>: models of a running platform.</summary>
internal static class LoadCommand
{
    public static Command Create()
    {
        var model = CommonOptions.PlatformModel();
        var placement = CommonOptions.Placement();
        var wire = CommonOptions.Wire(WireFormat.F32);
        var rounded = new Option<bool>("--rounded-residual") { Description = "Round what layers hand on to 16 bits, so that f16 on the wire changes nothing more. Another arithmetic than without it." };
        var (context, kvType, speculate, draft) = (CommonOptions.Context(), CommonOptions.KvType(), CommonOptions.Speculate(), CommonOptions.DraftModel());
        var kvCache = CommonOptions.Size("--kv-cache", "Memory for keys and values of all running requests, such as 512MiB; default the platform's setting.");
        var endpoint = CommonOptions.Platform();
        var json = CommonOptions.Json();
        var command = new Command("load", "Loads a model of a running platform's model folder, placed over its silos as wished; one that is loaded alike stays as it is.")
        {
            model, placement, wire, rounded, context, kvCache, kvType, speculate, draft, endpoint, json,
        };
        command.SetAction(async (result, cancellationToken) =>
        {
            var request = new LoadModelRequest { Model = result.GetRequiredValue(model), Speculation = ToContract(result.GetValue(speculate)) };
            // Without a wish a model that is loaded is left as it is.
            if (result.GetValue(placement) is { } wish)
                request.Placement = ToContract(wish);
            if (result.GetResult(wire) is { Implicit: false })
                (request.Placement ??= new Placement()).Wire = ToContract(result.GetValue(wire));
            if (result.GetValue(rounded))
                request.RoundedResidual = true;
            if (result.GetValue(context) is { } length)
                request.ContextLength = length;
            if (result.GetValue(kvCache) is { } bytes)
                request.KvCacheBytes = bytes;
            if (result.GetValue(draft) is { } name)
                request.DraftModel = name;
            request.KvCacheType = result.GetValue(kvType) switch
            {
                KvType.F32 => KvCacheType.F32,
                KvType.Q16 => KvCacheType.Q16,
                KvType.Q8 => KvCacheType.Q8,
                _ => KvCacheType.Unspecified,
            };
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            var models = new ModelService.ModelServiceClient(channel);
            await models.LoadAsync(request, cancellationToken: cancellationToken);
            var description = await models.DescribeAsync(new DescribeModelRequest { Model = request.Model }, cancellationToken: cancellationToken);
            if (result.GetValue(json))
            {
                JsonOutput.Write(description);
                return 0;
            }

            AnsiConsole.WriteLine($"{description.Model.Model_} is {description.Model.State.ToString().ToLowerInvariant()}.");
            AnsiConsole.Write(PlacementReport.Table(description));
            return 0;
        });
        return command;
    }

    public static Command Unload()
    {
        var model = CommonOptions.PlatformModel();
        var endpoint = CommonOptions.Platform();
        var json = CommonOptions.Json();
        var command = new Command("unload", "Lets a model's running requests end, then frees its memory on all silos.") { model, endpoint, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            var answer = await new ModelService.ModelServiceClient(channel).UnloadAsync(new UnloadModelRequest { Model = result.GetRequiredValue(model) }, cancellationToken: cancellationToken);
            if (result.GetValue(json))
                JsonOutput.Write(answer);
            else
                AnsiConsole.WriteLine($"{answer.Model_} is {answer.State.ToString().ToLowerInvariant()}.");
            return 0;
        });
        return command;
    }

    private static Placement ToContract(PlacementWish wish)
    {
        var placement = new Placement { Labels = { wish.RequiredLabels.ToDictionary() } };
        if (wish.Map is { } map)
            placement.Map = map.ToString();
        if (wish.Stages is { } stages)
            placement.Stages = stages;
        if (wish.ExpertGroups is { } groups)
            placement.ExpertGroups = groups;
        if (wish.Replicas is { } replicas)
            placement.Replicas = replicas;
        return placement;
    }

    private static V1.WireFormat ToContract(WireFormat format) => format switch
    {
        WireFormat.F16 => V1.WireFormat.F16,
        WireFormat.Q8 => V1.WireFormat.Q8,
        _ => V1.WireFormat.F32,
    };

    private static Speculation ToContract(SpeculationKind? kind) => kind switch
    {
        null => Speculation.Unspecified,
        SpeculationKind.None => Speculation.None,
        SpeculationKind.NGram => Speculation.Ngram,
        _ => Speculation.Draft,
    };
}
