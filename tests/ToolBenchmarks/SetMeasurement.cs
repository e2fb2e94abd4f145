using System.ClientModel;
using System.Diagnostics;
using Grpc.Net.Client;
using OpenAI;
using OpenAI.Chat;
using Slm.Tools.Calls;
using Slm.V1;

namespace Slm.ToolBenchmarks;

/// <summary>Asks a model all cases, with calls enforced while they are written and without, and counts what came.</summary>
internal static class SetMeasurement
{
    private const int MaxTokens = 320;

    /// <summary>Answers of one way of asking.</summary>
    public sealed record Way(string Name, IReadOnlyList<CaseVerdict> Verdicts, double Seconds)
    {
        /// <summary>Calls were enforced.</summary>
        public bool IsEnforced => Name.StartsWith("enforced", StringComparison.Ordinal);
    }

    /// <summary>
    /// As applications ask: OpenAI's client, <c>tools</c> on chat completions, which enforces calls.
    /// </summary>
    public static async Task<Way> EnforcedAsync(IReadOnlyList<ToolCase> cases, string http, string model, float temperature, CancellationToken cancellationToken)
    {
        var client = new ChatClient(model, new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri($"{http}/v1") });
        return await AskAsync(Name("enforced", temperature), cases, async (asked, seed) =>
        {
#pragma warning disable OPENAI001 // The seed is declared experimental.
            var options = new ChatCompletionOptions { Temperature = temperature, Seed = seed, MaxOutputTokenCount = MaxTokens };
#pragma warning restore OPENAI001
            foreach (var function in asked.Functions)
                options.Tools.Add(ChatTool.CreateFunctionTool(function.Name, function.Description, BinaryData.FromString(function.ParametersJson)));
            ChatCompletion answer = await client.CompleteChatAsync([new UserChatMessage(asked.Request)], options, cancellationToken);
            return (string.Concat(answer.Content.Select(part => part.Text)), [.. answer.ToolCalls.Select(c => new FunctionCall(c.Id, c.FunctionName, c.FunctionArguments.ToString()))]);
        }, cancellationToken);
    }

    /// <summary>The same prompt with nothing enforced: the model's text, read for calls.</summary>
    public static async Task<Way> FreeAsync(IReadOnlyList<ToolCase> cases, string grpc, string model, float temperature, CancellationToken cancellationToken)
    {
        using var channel = GrpcChannel.ForAddress(grpc);
        var inference = new InferenceService.InferenceServiceClient(channel);
        var info = await new TokenizerService.TokenizerServiceClient(channel).GetTokenizerInfoAsync(new GetTokenizerInfoRequest { Model = model }, cancellationToken: cancellationToken);
        var style = ToolCallStyle.Of(info.HasChatTemplate ? info.ChatTemplate : null);
        return await AskAsync(Name("free", temperature), cases, async (asked, seed) =>
        {
            var request = new GenerateRequest { Model = model, Messages = new Messages(), Sampling = new SamplingOptions { Temperature = temperature, Seed = (ulong)seed, MaxTokens = MaxTokens } };
            request.Messages.Messages_.Add(new Slm.V1.ChatMessage { Role = "user", Content = asked.Request });
            request.Messages.Tools.AddRange(asked.Functions.Select(f => new ToolDefinition { Name = f.Name, Description = f.Description, ParametersJson = f.ParametersJson }));
            var answer = await inference.GenerateOnceAsync(request, cancellationToken: cancellationToken);
            // Read with the tags of any function: what is called need not be offered.
            var tags = style.Format.Language(asked.Functions, new ToolChoice(ToolChoiceMode.Auto)).Tags;
            return ToolCallParser.Read(answer.Text, tags, style.Format);
        }, cancellationToken);
    }

    private static string Name(string way, float temperature) => FormattableString.Invariant($"{way}, temperature {temperature}");

    private static async Task<Way> AskAsync(string name, IReadOnlyList<ToolCase> cases, Func<ToolCase, int, Task<(string Text, IReadOnlyList<FunctionCall> Calls)>> ask, CancellationToken cancellationToken)
    {
        var verdicts = new CaseVerdict[cases.Count];
        var started = Stopwatch.GetTimestamp();
        var done = 0;
        await Parallel.ForEachAsync(Enumerable.Range(0, cases.Count), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = cancellationToken }, async (i, cancelled) =>
        {
            var (text, calls) = await ask(cases[i], i);
            verdicts[i] = await CaseChecker.CheckAsync(cases[i], text, calls, cancelled);
            if (Interlocked.Increment(ref done) % 100 == 0)
                Console.Error.WriteLine($"{name}: {done} of {cases.Count}");
        });
        return new Way(name, verdicts, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }
}
