using System.CommandLine;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Cli.Processes;
using Slm.Engine.Sampling;
using Slm.Engine.Speculation;
using Slm.Runtime;
using Slm.Tokenization.Templates;

namespace Slm.Cli.Commands;

/// <summary><c>slm chat</c>: a conversation with a model that has a chat template.</summary>
internal static class ChatCommand
{
    private const string Help = "/reset forgets the conversation, /system TEXT sets the instructions, /exit or Ctrl-D ends. Ctrl-C stops an answer.";

    public static Command Create()
    {
        var model = CommonOptions.Model();
        var endpoint = CommonOptions.Endpoint();
        var json = CommonOptions.Json();
        var (threads, context, stages) = (CommonOptions.Threads(), CommonOptions.Context(), CommonOptions.Stages());
        var system = new Option<string?>("--system", "-s") { Description = "Instructions for the whole conversation.", HelpName = "TEXT" };
        var message = new Option<string?>("--message") { Description = "One message instead of a conversation; - reads it from standard input.", HelpName = "TEXT" };
        var (draft, speculate, adapter) = (CommonOptions.DraftModel(), CommonOptions.Speculate(), CommonOptions.Adapter());
        var experts = CommonOptions.ExpertMemory();
        var sampling = new SamplingOptionSet();
        var command = new Command("chat", "Talks with a model. " + Help) { model, system, message };
        sampling.AddTo(command);
        foreach (var option in new Option[] { adapter, speculate, draft, threads, context, stages, experts, endpoint, json })
            command.Add(option);
        command.SetAction(async (result, cancellationToken) =>
        {
            var options = sampling.Read(result);
            var single = result.GetValue(message);
            if (result.GetValue(json) && single is null)
                throw new UsageException("chat: --json needs --message, because a conversation is no single document.");
            await using var backend = await GenerateCommand.OpenAsync(
                result.GetValue(endpoint), result.GetRequiredValue(model), result.GetValue(threads), result.GetValue(context), result.GetValue(stages), result.GetValue(draft), result.GetValue(adapter),
                result.GetValue(experts));
            backend.RequireChat();
            var conversation = new Conversation(backend, options, sampling.Stop(result)) { System = result.GetValue(system), Speculation = result.GetValue(speculate) };
            if (single is null)
                return await TalkAsync(conversation, cancellationToken);
            var answer = conversation.Ask(single == "-" ? await Console.In.ReadToEndAsync(cancellationToken) : single, cancellationToken);
            if (result.GetValue(json))
                (await Answer.CollectAsync(answer)).WriteJson();
            else
                await Answer.PrintAsync(answer);
            return 0;
        });
        return command;
    }

    private static async Task<int> TalkAsync(Conversation conversation, CancellationToken cancellationToken)
    {
        var interactive = !Console.IsInputRedirected;
        if (interactive)
            Console.Error.WriteLine($"{conversation.Model}. {Help}");
        while (!cancellationToken.IsCancellationRequested)
        {
            if (interactive)
                Console.Error.Write("> ");
            var line = await Task.Run(Console.In.ReadLine, CancellationToken.None).WaitAsync(cancellationToken);
            switch (line?.Trim())
            {
                case null or "/exit" or "/quit":
                    return 0;
                case "":
                    break;
                case "/reset":
                    conversation.Reset();
                    break;
                case "/help":
                    Console.Error.WriteLine(Help);
                    break;
                case ['/', 's', 'y', 's', 't', 'e', 'm', ' ', .. var text]:
                    conversation.System = text.Trim();
                    break;
                case ['/', ..]:
                    Console.Error.WriteLine($"There is no command '{line.Trim()}'. {Help}");
                    break;
                default:
                    await AnswerAsync(conversation, line, cancellationToken);
                    break;
            }
        }
        return CommandLine.Interrupted;
    }

    /// <summary>Prints one answer; Ctrl-C stops it and leaves the conversation as it was before the question.</summary>
    private static async Task AnswerAsync(Conversation conversation, string line, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Interrupt.Override = () =>
        {
            var first = !stop.IsCancellationRequested;
            stop.Cancel();
            return first;
        };
        try
        {
            conversation.Answered(line, await Answer.PrintAsync(conversation.Ask(line, stop.Token)));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Console.Error.WriteLine("[stopped]");
        }
        catch (Exception error) when (error is not OperationCanceledException && !Console.IsInputRedirected)
        {
            ErrorLine.Write(ErrorLine.Describe(error));
        }
        finally
        {
            Interrupt.Override = null;
        }
    }

    private sealed class Conversation(IModelBackend backend, SamplingOptions sampling, string[] stop)
    {
        private readonly List<ChatTurn> _turns = [];

        public string Model => backend.Name;

        public string? System { get; set; }

        public SpeculationKind? Speculation { get; init; }

        public void Reset() => _turns.Clear();

        public void Answered(string question, string answer)
        {
            _turns.Add(new ChatTurn("user", question));
            _turns.Add(new ChatTurn("assistant", answer));
        }

        public IAsyncEnumerable<TextChunk> Ask(string question, CancellationToken cancellationToken)
        {
            List<ChatTurn> turns = [.. _turns, new ChatTurn("user", question)];
            if (!string.IsNullOrEmpty(System))
                turns.Insert(0, new ChatTurn("system", System));
            return backend.GenerateAsync(new TextRequest { Prompt = new TextPrompt.Chat(turns), Sampling = sampling, Stop = stop, Speculation = Speculation }, cancellationToken);
        }
    }
}
