using System.CommandLine;
using System.CommandLine.Invocation;
using Slm.Cli.Commands;
using Slm.Cli.Output;
using Slm.Cli.Processes;
using Spectre.Console;

namespace Slm.Cli;

/// <summary>The <c>slm</c> command: parsing, dispatch, and what becomes of errors.</summary>
internal static class CommandLine
{
    /// <summary>A request that could not be carried out.</summary>
    public const int Failure = 1;

    /// <summary>A command line that cannot be understood.</summary>
    public const int Usage = 2;

    /// <summary>Ended by Ctrl-C, as shells report it.</summary>
    public const int Interrupted = 130;

    /// <summary>Columns of a table that no terminal shows.</summary>
    private const int PipeWidth = 160;

    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            // These hand everything on, so that an option means what the other program says it means.
            if (args is ["train", _, ..] && args[1] is not ("-h" or "--help" or "-?"))
                return await SiblingProgram.Trainer.RunAsync(args[1..]);
            if (args is ["serve", ..] && (args.Length == 1 || args[1] is not ("-h" or "--help" or "-?")))
                return await SiblingProgram.Platform.RunAsync(args[1..]);

            var result = Root().Parse(args);
            if (result.Errors.Count > 0 && result.Action is not SynchronousCommandLineAction { ClearsParseErrors: true })
            {
                ErrorLine.Write($"{ParseErrors.Describe(result)} Try '{string.Join(' ', Names(result.CommandResult))} --help'.");
                return Usage;
            }
            if (Console.IsOutputRedirected)
                AnsiConsole.Profile.Width = PipeWidth;
            using var interrupt = new Interrupt();
            return await result.InvokeAsync(
                new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null }, interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return Interrupted;
        }
        catch (UsageException error)
        {
            ErrorLine.Write(error.Message);
            return Usage;
        }
        catch (Exception error) when (!Diagnostics)
        {
            ErrorLine.Write(ErrorLine.Describe(error));
            return Failure;
        }
    }

    /// <summary>With SLM_DEBUG set an error keeps its stack trace.</summary>
    private static bool Diagnostics => Environment.GetEnvironmentVariable("SLM_DEBUG") is { Length: > 0 };

    private static RootCommand Root()
    {
        var root = new RootCommand("Runs, measures, trains and serves small language models.")
        {
            ModelsCommand.Create(),
            DescribeCommand.Create(),
            LoadCommand.Create(),
            LoadCommand.Unload(),
            SilosCommand.Create(),
            ClusterCommands.Drain(),
            ClusterCommands.Resume(),
            ClusterCommands.Rebalance(),
            KeysCommand.Create(),
            ChatCommand.Create(),
            GenerateCommand.Create(),
            CheckConstraintCommand.Create(),
            TokenizeCommand.Create(),
            LogitsCommand.Create(),
            BenchCommand.Create(),
            PlanCommand.Create(),
            PerplexityCommand.Create(),
            ImatrixCommand.Create(),
            QuantizeCommand.Create(),
            PullCommand.Create(),
            ManifestCommand.Create(),
            RouteCommand.Create(),
            new Command("train", "Trains models: hands its arguments to the trainer, such as 'slm train pretrain --config FILE'."),
            new Command("serve", "Runs the whole platform in one process: hands its arguments to AppHost."),
        };
        foreach (var command in root.Subcommands.Where(c => c.Action is null && c.Subcommands.Count == 0))
            command.SetAction(new Func<ParseResult, int>(_ => throw new UsageException($"{command.Name}: name what to do, such as 'slm train pretrain --config FILE'.")));
        return root;
    }

    private static IEnumerable<string> Names(System.CommandLine.Parsing.CommandResult result)
    {
        if (result.Parent is System.CommandLine.Parsing.CommandResult parent)
        {
            foreach (var name in Names(parent))
                yield return name;
            yield return result.Command.Name;
        }
        else
        {
            yield return "slm";
        }
    }
}
