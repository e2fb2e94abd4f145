using System.Globalization;
using Google.Protobuf.Collections;
using Slm.V1;
using Spectre.Console;

namespace Slm.Cli.Output;

/// <summary>Where a model is, what the cost model says of that, and why.</summary>
internal static class PlacementReport
{
    /// <summary>As a table of its own.</summary>
    public static Grid Table(ModelDescription description)
    {
        var grid = new Grid().AddColumn().AddColumn();
        AddTo(description, (name, value) => grid.AddRow(new Text(name, new Style(foreground: Color.Grey)), new Text(value)));
        return grid;
    }

    /// <summary>Adds its rows: a name and a value each.</summary>
    public static void AddTo(ModelDescription d, Action<string, string> row)
    {
        var replicas = d.Stages.Select(s => s.Replica).Distinct().Count();
        if (replicas > 1)
            row("replicas", replicas.ToString(CultureInfo.InvariantCulture));
        foreach (var s in d.Stages)
        {
            var parts = (s.HasEmbedding ? "embedding, " : "") + $"layers {s.FirstLayer} to {s.EndLayer - 1}" + (s.HasHead ? ", head" : "");
            var name = replicas > 1 ? $"replica {s.Replica}, stage {s.Stage}" : $"stage {s.Stage}";
            row(name, $"{parts}: {Quantity.Bytes(s.WeightBytes)} on {NameOf(s.SiloName, s.Silo)}");
            if (s.Experts.Count > 0)
                row("  experts", $"{Ranges(s.Experts)} with the stage, {Quantity.Count(s.ExpertVisits.Sum())} visits");
            foreach (var g in s.ExpertGroups)
                row($"  experts, group {g.Group}", $"{Ranges(g.Experts)}: {Quantity.Bytes(g.WeightBytes)} on {NameOf(g.SiloName, g.Silo)}{(g.Visits.Count == 0 ? "" : $", {Quantity.Count(g.Visits.Sum())} visits")}");
        }

        if (d.Load is { } load)
            row("load", string.Create(CultureInfo.InvariantCulture, $"{load.RunningSequences} running, {load.WaitingSequences} waiting, KV cache {load.KvOccupancy:P0} full, {load.Recoveries} recoveries"));
        if (d.Prediction is not { } prediction)
            return;
        var wire = prediction.WireBytesPerToken == 0 ? "" : $", {Quantity.Bytes(prediction.WireBytesPerToken)} between silos per token";
        row("predicted", string.Create(CultureInfo.InvariantCulture, $"{prediction.DecodeTokensPerSecond:0.0} tokens/s decode, {prediction.PrefillTokensPerSecond:0} tokens/s prefill{wire}"));
        foreach (var memory in prediction.Memory)
            row($"  memory of {memory.SiloName}", $"{Quantity.Bytes(memory.PlannedBytes)} of {Quantity.Bytes(memory.FreeBytes)} free when it was placed");
        row("bottleneck", prediction.Bottleneck);
        foreach (var reason in prediction.Reasons)
            row("because", reason);
    }

    private static string NameOf(string name, string address) => name.Length > 0 ? name : address;

    /// <summary>Ascending numbers, such as 0-3, 8.</summary>
    private static string Ranges(RepeatedField<int> numbers)
    {
        var ranges = new List<string>();
        for (var i = 0; i < numbers.Count;)
        {
            var end = i + 1;
            while (end < numbers.Count && numbers[end] == numbers[end - 1] + 1)
                end++;
            ranges.Add(end - i == 1 ? $"{numbers[i]}" : $"{numbers[i]}-{numbers[end - 1]}");
            i = end;
        }

        return string.Join(", ", ranges);
    }
}
