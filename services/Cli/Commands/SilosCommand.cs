using System.CommandLine;
using System.Globalization;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.V1;
using Spectre.Console;

namespace Slm.Cli.Commands;

/// <summary><c>slm silos</c>: the processes of a platform's cluster, what they can do, and what they hold.</summary>
internal static class SilosCommand
{
    /// <summary>Hosts are named by a long number; this much of it tells them apart.</summary>
    private const int HostWidth = 8;

    public static Command Create()
    {
        var endpoint = CommonOptions.Platform();
        var json = CommonOptions.Json();
        var measure = new Option<bool>("--measure") { Description = "Have every silo measure its machine and its links again first; its answers wait meanwhile, up to a second." };
        var command = new Command("silos", "Lists the silos of a running platform: what they can do, what they have room for, and what they hold.") { endpoint, json, measure };
        command.SetAction(async (result, cancellationToken) =>
        {
            using var channel = RemoteBackend.Connect(result.GetRequiredValue(endpoint));
            var answer = await new ClusterService.ClusterServiceClient(channel).ListSilosAsync(new ListSilosRequest { Measure = result.GetValue(measure) }, cancellationToken: cancellationToken);
            if (result.GetValue(json))
                JsonOutput.Write(answer);
            else
                WriteTables(answer.Silos);
            return 0;
        });
        return command;
    }

    /// <summary>What a silo is called; of one that does not answer only the address is known.</summary>
    public static string NameOf(Silo silo) => silo.Silo_.Length > 0 ? silo.Silo_ : silo.Address;

    public static string StateOf(Silo silo) => silo.State.ToString().ToLowerInvariant();

    /// <summary>Parts in words, such as "stories: stage 0, layers 0-7".</summary>
    public static IEnumerable<string> HoldingsOf(Silo silo) =>
        silo.Parts.Select(p => $"{p.Model}{(p.Replica == 0 ? "" : $" #{p.Replica}")}: {p.Part}{(p.WeightBytes == 0 ? "" : $" ({Quantity.Bytes(p.WeightBytes)})")}");

    private static void WriteTables(IReadOnlyList<Silo> silos)
    {
        var table = new Table().AddColumns("silo", "host", "state").AddColumn(new TableColumn("threads").RightAligned())
            .AddColumn(new TableColumn("free memory").RightAligned()).AddColumn(new TableColumn("bandwidth").RightAligned())
            .AddColumn(new TableColumn("speed").RightAligned()).AddColumns("labels", "holds");
        foreach (var silo in silos)
        {
            var known = silo.State != SiloState.Unreachable;
            table.AddRow(
                Markup.Escape(NameOf(silo)),
                Markup.Escape(silo.Host.Length > HostWidth ? silo.Host[..HostWidth] : silo.Host),
                StateOf(silo),
                known ? silo.Threads.ToString(CultureInfo.InvariantCulture) : "",
                known ? Quantity.Bytes(silo.FreeMemoryBytes) : "",
                known ? Quantity.Bytes((long)silo.ReadBytesPerSecond) + "/s" : "",
                known ? Quantity.Count((long)silo.MultiplyAddsPerSecond) + " int8/s" : "",
                Markup.Escape(string.Join(", ", silo.Labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => $"{l.Key}={l.Value}"))),
                Markup.Escape(string.Join('\n', HoldingsOf(silo))));
        }

        AnsiConsole.Write(table);
        if (silos.All(s => s.Links.Count == 0))
            return;
        var links = new Table().AddColumns("from", "to").AddColumn(new TableColumn("one way").RightAligned()).AddColumn(new TableColumn("bandwidth").RightAligned());
        foreach (var silo in silos)
        {
            foreach (var link in silo.Links)
                links.AddRow(Markup.Escape(NameOf(silo)), Markup.Escape(link.To), string.Create(CultureInfo.InvariantCulture, $"{link.LatencyMs:0.000} ms"), Quantity.Bytes((long)link.BytesPerSecond) + "/s");
        }

        AnsiConsole.Write(links);
    }
}
