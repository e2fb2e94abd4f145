using System.CommandLine;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Runtime;

namespace Slm.Cli.Commands;

/// <summary><c>slm generate</c>: continues a text or token ids.</summary>
internal static class GenerateCommand
{
    public static Command Create()
    {
        var model = CommonOptions.Model();
        var endpoint = CommonOptions.Endpoint();
        var json = CommonOptions.Json();
        var (threads, context, stages) = (CommonOptions.Threads(), CommonOptions.Context(), CommonOptions.Stages());
        var prompt = new Option<string?>("--prompt", "-p") { Description = "Text to continue; - reads it from standard input.", HelpName = "TEXT" };
        var tokens = CommonOptions.Tokens("Token ids to continue, as they are.");
        var encoder = CommonOptions.Tokens("Token ids for the encoder of an encoder-decoder model; --prompt or --tokens are then what its decoder continues. Without it the encoder reads those, and the decoder begins.", "--encoder-tokens");
        var noSpecial = new Option<bool>("--no-special-tokens") { Description = "Do not put the model's beginning-of-sequence token before --prompt." };
        var (draft, speculate, adapter) = (CommonOptions.DraftModel(), CommonOptions.Speculate(), CommonOptions.Adapter());
        var experts = CommonOptions.ExpertMemory();
        var (sampling, constraint) = (new SamplingOptionSet(), new ConstraintOptionSet());
        var command = new Command("generate", "Continues a text or token ids.") { model, prompt, tokens, encoder };
        sampling.AddTo(command);
        constraint.AddTo(command);
        foreach (var option in new Option[] { noSpecial, adapter, speculate, draft, threads, context, stages, experts, endpoint, json })
            command.Add(option);
        command.SetAction(async (result, cancellationToken) =>
        {
            var request = new TextRequest
            {
                Prompt = ReadPrompt(result.GetValue(prompt), result.GetValue(tokens), !result.GetValue(noSpecial)),
                EncoderTokens = result.GetValue(encoder) is { Length: > 0 } input ? input : null,
                Sampling = sampling.Read(result),
                Stop = sampling.Stop(result),
                Constraint = constraint.Read(result),
                Speculation = result.GetValue(speculate),
            };
            await using var backend = await OpenAsync(
                result.GetValue(endpoint), result.GetRequiredValue(model), result.GetValue(threads), result.GetValue(context), result.GetValue(stages), result.GetValue(draft), result.GetValue(adapter),
                result.GetValue(experts));
            if (result.GetValue(json))
                (await Answer.CollectAsync(backend.GenerateAsync(request, cancellationToken))).WriteJson();
            else
                await Answer.PrintAsync(backend.GenerateAsync(request, cancellationToken));
            return 0;
        });
        return command;
    }

    /// <summary>The model of the platform at <paramref name="endpoint"/>, or in this process.</summary>
    public static async Task<IModelBackend> OpenAsync(Uri? endpoint, string model, int? threads, int? context, int? stages, string? draft, string? adapter, long? expertMemory)
    {
        if (endpoint is null)
            return await LocalBackend.OpenAsync(model, threads, context, stages, draft, adapter, expertMemory);
        if ((threads ?? context ?? stages ?? expertMemory) is not null || draft is not null)
            throw new UsageException("--threads, --context, --stages, --expert-memory and --draft-model are for a model in this process; leave them out with --endpoint.");
        return new RemoteBackend(endpoint, model, adapter);
    }

    private static TextPrompt ReadPrompt(string? prompt, int[]? tokens, bool addSpecialTokens)
    {
        // An option of many values that is not given is an empty array.
        if (prompt is null == tokens is null or [])
            throw new UsageException("generate: give either --prompt or --tokens.");
        if (tokens is { Length: > 0 })
            return new TextPrompt.Tokens(tokens);
        return new TextPrompt.Text(prompt == "-" ? Console.In.ReadToEnd() : prompt!, addSpecialTokens);
    }
}
