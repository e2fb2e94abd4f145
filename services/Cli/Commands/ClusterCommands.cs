using System.CommandLine;
using Grpc.Net.Client;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.V1;
using Spectre.Console;

namespace Slm.Cli.Commands;

/// <summary><c>slm drain</c>, <c>slm resume</c>, <c>slm rebalance</c>: where work goes in a running cluster.</summary>
internal static class ClusterCommands
{
    public static Command Drain() => OfSilo("drain", "Moves what a silo holds to others, while answers go on, and keeps new work from it.", async (cluster, silo, cancellationToken) =>
        await cluster.DrainAsync(new DrainRequest { Silo = silo }, cancellationToken: cancellationToken));

    public static Command Resume() => OfSilo("resume", "Lets a drained silo take work again. What is elsewhere stays there until 'slm rebalance'.", async (cluster, silo, cancellationToken) =>
        await cluster.ResumeAsync(new ResumeRequest { Silo = silo }, cancellationToken: cancellationToken));

    public static Command Rebalance()
    {
        var model = CommonOptions.PlatformModel();
        var endpoint = CommonOptions.Platform();
        var json = CommonOptions.Json();
        var command = new Command("rebalance", "Places a loaded model anew over the silos there are now, while answers go on.") { model, endpoint, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            var answer = await Client(channel).RebalanceAsync(new RebalanceRequest { Model = result.GetRequiredValue(model) }, cancellationToken: cancellationToken);
            if (result.GetValue(json))
                JsonOutput.Write(answer);
            else if (answer.Moves.Count == 0)
                AnsiConsole.WriteLine($"{answer.Model} is where it should be; nothing moved.");
            foreach (var move in result.GetValue(json) ? [] : answer.Moves)
                AnsiConsole.WriteLine(move);
            return 0;
        });
        return command;
    }

    private static Command OfSilo(string name, string description, Func<ClusterService.ClusterServiceClient, string, CancellationToken, Task<Silo>> call)
    {
        var silo = new Argument<string>("SILO") { Description = "Name or address of the silo, as 'slm silos' has it." };
        var endpoint = CommonOptions.Platform();
        var json = CommonOptions.Json();
        var command = new Command(name, description) { silo, endpoint, json };
        command.SetAction(async (result, cancellationToken) =>
        {
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            var answer = await call(Client(channel), result.GetRequiredValue(silo), cancellationToken);
            if (result.GetValue(json))
            {
                JsonOutput.Write(answer);
                return 0;
            }

            var held = SilosCommand.HoldingsOf(answer).ToArray();
            AnsiConsole.WriteLine($"{SilosCommand.NameOf(answer)} is {SilosCommand.StateOf(answer)} and holds {(held.Length == 0 ? "nothing" : string.Join("; ", held))}.");
            return 0;
        });
        return command;
    }

    private static ClusterService.ClusterServiceClient Client(GrpcChannel channel) => new(channel);
}
