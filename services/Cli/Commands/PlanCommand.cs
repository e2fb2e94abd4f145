using System.CommandLine;
using System.CommandLine.Parsing;
using Slm.Cli.Backends;
using Slm.Cli.Output;
using Slm.Cli.Planning;
using Slm.Engine.Models;
using Slm.Engine.Planning;
using Slm.Engine.Threading;

namespace Slm.Cli.Commands;

/// <summary><c>slm plan</c>: where a model would go on some machines, and how fast it would be there.</summary>
internal static class PlanCommand
{
    private const int StandardContext = 512;

    public static Command Create()
    {
        var model = CommonOptions.Model();
        var machines = new Option<string?>("--machines") { Description = "A YAML file with machines and links, as shown above; without it this machine is measured.", HelpName = "FILE" };
        var placement = new Option<PlacementWish?>("--placement")
        {
            Description = "auto (default), or stages=N, experts=G (groups of experts), replicas=R and label:NAME=VALUE separated by commas, or a map such as \"0-7@a,8-15@b;experts:0-15@c,16-31@d\"; '|' separates replicas.",
            HelpName = "WISH",
            CustomParser = ParseWish,
        };
        var streams = CommonOptions.Positive("--streams", "Sequences at a time in each replica; default 1.", 1 << 16);
        var context = CommonOptions.Positive("--context", $"Positions that each of them holds, and tokens of a prompt; default {StandardContext}.", int.MaxValue);
        var wire = new Option<WireFormat>("--wire") { Description = "What activations travel as: f16 (default), f32 or q8.", HelpName = "f16|f32|q8", CustomParser = ParseWire, DefaultValueFactory = _ => WireFormat.F16 };
        var (kvType, threads, json) = (CommonOptions.KvType(), CommonOptions.Threads(), CommonOptions.Json());
        var command = new Command("plan", "Predicts placement, speed and memory of a model on a fleet of machines." + "\n\nThe file for --machines:\n\n" + FleetFile.Form)
        {
            model, machines, placement, streams, context, wire, kvType, threads, json,
        };
        command.SetAction(result =>
        {
            var (path, wish) = (result.GetValue(machines), result.GetValue(placement) ?? PlacementWish.Auto);
            if (path is not null && result.GetValue(threads) is not null)
                throw new UsageException("plan: leave --threads out with --machines; the file says how many each has.");
            using var file = ModelFile.Open(ModelArgument.ResolveGguf(result.GetRequiredValue(model)));
            var shape = ModelShape.Of(file, result.GetValue(kvType));
            if (result.GetValue(context) > shape.ContextLength)
                throw new CliException($"--context is {result.GetValue(context)}. Give 1 to {shape.ContextLength}, which the model was made for.");
            var terms = new PlanningTerms
            {
                Streams = result.GetValue(streams) ?? 1,
                ContextTokens = result.GetValue(context) ?? Math.Min(StandardContext, shape.ContextLength),
                WireFormat = result.GetValue(wire),
            };
            var fleet = path is null ? ThisMachine(result.GetValue(threads)) : FleetFile.Read(path);
            var report = new PlanReport(shape, fleet, wish, terms);
            if (result.GetValue(json))
                report.WriteJson();
            else
                report.WriteTable();
            return 0;
        });
        return command;
    }

    /// <summary>A fleet of this machine alone, measured.</summary>
    private static Fleet ThisMachine(int? threads)
    {
        using var workers = new WorkerPool(threads ?? Environment.ProcessorCount);
        var (speed, memory) = (MachineSpeed.Measure(workers), MachineMemory.Read());
        return new Fleet([
            new MachineSpec
            {
                Name = "this-machine",
                HostId = "this-machine",
                Threads = workers.Threads,
                FreeMemoryBytes = memory.FreeBytes,
                ReadBytesPerSecond = speed.ReadBytesPerSecond,
                MultiplyAddsPerSecond = speed.MultiplyAddsPerSecond,
                FloatMultiplyAddsPerSecond = speed.FloatMultiplyAddsPerSecond,
            },
        ]);
    }

    private static PlacementWish? ParseWish(ArgumentResult result)
    {
        try
        {
            return PlacementWish.Parse(result.Tokens[0].Value);
        }
        catch (PlacementException error)
        {
            result.AddError("--" + error.Message);
            return null;
        }
    }

    private static WireFormat ParseWire(ArgumentResult result)
    {
        switch (result.Tokens[0].Value)
        {
            case "f16":
                return WireFormat.F16;
            case "f32":
                return WireFormat.F32;
            case "q8":
                return WireFormat.Q8;
            default:
                result.AddError($"--wire: '{result.Tokens[0].Value}' is not known. Give f16, f32 or q8.");
                return default;
        }
    }
}
