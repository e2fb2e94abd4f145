using System.Globalization;
using System.Text.Json;
using Slm.Engine.Planning;
using Slm.Engine.Wire;
using Spectre.Console;

namespace Slm.Cli.Output;

/// <summary>A placement and what is predicted of it; where it leaves the number of replicas open, also what the whole fleet can do.</summary>
internal sealed class PlanReport
{
    /// <summary>Machines that the table names one by one.</summary>
    private const int MachinesShown = 12;

    private readonly ModelShape _shape;
    private readonly Fleet _fleet;
    private readonly PlanningTerms _terms;
    private readonly PlacementPlan _plan;
    private readonly PlacementPlan? _full;

    /// <exception cref="PlacementException">There is no such placement.</exception>
    public PlanReport(ModelShape shape, Fleet fleet, PlacementWish wish, PlanningTerms terms)
    {
        (_shape, _fleet, _terms) = (shape, fleet, terms);
        _plan = Planner.Plan(shape, fleet, wish, terms);
        _full = fleet.Machines.Count > 1 && wish.Map is null && wish.Replicas is null ? Planner.Fill(shape, fleet, wish, terms) : null;
    }

    private int Streams => _terms.Streams * _plan.Replicas.Count;

    public void WriteJson() => JsonOutput.Write(json =>
    {
        json.WriteStartObject();
        json.WriteString("model", _shape.Name);
        json.WriteString("map", _plan.ToMap().ToString());
        json.WriteString("wire_format", Lower(_plan.WireFormat));
        json.WriteNumber("streams", _terms.Streams);
        json.WriteNumber("context_tokens", _terms.ContextTokens);
        json.WriteStartArray("replicas");
        foreach (var replica in _plan.Replicas)
            WriteReplica(json, replica);
        json.WriteEndArray();
        json.WriteStartObject("prediction");
        WriteSpeed(json, _plan, Streams);
        json.WriteNumber("decode_tokens_per_s_one_stream", _plan.Prediction.DecodeTokensPerSecond);
        json.WriteNumber("ms_per_token", _plan.Prediction.SecondsPerToken * 1e3);
        json.WriteNumber("wire_bytes_per_token", _plan.Prediction.WireBytesPerToken);
        json.WriteStartArray("stage_ms");
        foreach (var seconds in _plan.Prediction.StepSeconds)
            json.WriteNumberValue(seconds * 1e3);
        json.WriteEndArray();
        json.WriteStartObject("memory_bytes");
        foreach (var (machine, bytes) in _plan.Prediction.MemoryBytes)
            json.WriteNumber(machine, bytes);
        json.WriteEndObject();
        json.WriteString("bottleneck", _plan.Prediction.Bottleneck);
        json.WriteEndObject();
        json.WriteStartArray("reasons");
        foreach (var reason in _plan.Reasons)
            json.WriteStringValue(reason);
        json.WriteEndArray();
        if (_full is not null)
        {
            json.WriteStartObject("fleet");
            json.WriteNumber("machines", _fleet.Machines.Count);
            json.WriteNumber("replicas", _full.Replicas.Count);
            WriteSpeed(json, _full, _terms.Streams * _full.Replicas.Count);
            json.WriteEndObject();
        }

        json.WriteEndObject();
    });

    public void WriteTable()
    {
        var first = _plan.Replicas[0];
        var table = new Table().AddColumn("stage").AddColumn("layers").AddColumn("machine");
        foreach (var heading in new[] { "weights", "keys, values", "states", "activations", "computes" })
            table.AddColumn(new TableColumn(heading).RightAligned());
        for (var s = 0; s < first.Stages.Count; s++)
        {
            var stage = first.Stages[s];
            table.AddRow(
                Text(s), $"{stage.Range.First}-{stage.Range.End - 1}", Markup.Escape(stage.Machine), Quantity.Bytes(stage.WeightBytes), Quantity.Bytes(stage.KvBytes),
                Quantity.Bytes(stage.StateBytes), Quantity.Bytes(stage.ScratchBytes), $"{Number(_plan.Prediction.StepSeconds[s] * 1e3)} ms");
            foreach (var group in stage.ExpertGroups)
                table.AddRow("", Markup.Escape($"experts {group.Group}: {group.Experts.Max(experts => experts.Count)} a layer"), Markup.Escape(group.Machine), Quantity.Bytes(group.WeightBytes), "", "", "", "");
        }

        AnsiConsole.Write(table);
        var grid = new Grid().AddColumn().AddColumn();
        void Row(string name, string value) => grid.AddRow(new Text(name, new Style(foreground: Color.Grey)), new Text(value));
        var prediction = _plan.Prediction;
        if (_fleet.Machines.Count == 1)
        {
            var machine = _fleet.Machines[0];
            Row("machine", $"{machine.Name}: {Quantity.Bytes(machine.FreeMemoryBytes)} free, reads {Number(machine.ReadBytesPerSecond / 1e9)} GB/s, {Number(machine.MultiplyAddsPerSecond / 1e9)} G multiply-adds/s, {Number(machine.FloatSpeed / 1e9)} G of floats");
        }

        Row("replicas", $"{Text(_plan.Replicas.Count)}{(_plan.Replicas.Count > 1 ? ", the first of which is shown" : "")}; {first.MicroBatches} micro-batch{(first.MicroBatches == 1 ? "" : "es")}, coordinator {first.Coordinator}");
        Row("prefill", $"{Number(prediction.PrefillTokensPerSecond)} tokens/s, prompts of {Text(_terms.ContextTokens)} tokens");
        Row("decode", $"{Number(prediction.DecodeTokensPerSecond)} tokens/s for one stream, {Number(prediction.SecondsPerToken * 1e3)} ms a token, {Text(_terms.ContextTokens)} positions");
        if (Streams > 1)
            Row("", $"{Number(prediction.DecodeTokensPerSecondAt(Streams))} tokens/s for {Text(Streams)} streams together");
        if (first.Stages.Count > 1 || first.Stages[0].ExpertGroups.Count > 0)
            Row("on the wire", $"{Quantity.Bytes((long)Math.Round(prediction.WireBytesPerToken))} a token as {Lower(_plan.WireFormat)}");
        foreach (var (name, bytes) in prediction.MemoryBytes.Take(MachinesShown))
            Row("memory", $"{name}: {Quantity.Bytes(bytes)} of {Quantity.Bytes(_fleet.Machine(name).FreeMemoryBytes)} free");
        if (prediction.MemoryBytes.Count > MachinesShown)
            Row("", $"and {Text(prediction.MemoryBytes.Count - MachinesShown)} more machines");
        Row("bottleneck", prediction.Bottleneck);
        foreach (var reason in _plan.Reasons)
            Row("why", reason);
        if (_full is not null)
        {
            var streams = _terms.Streams * _full.Replicas.Count;
            Row("whole fleet", $"{Text(_full.Replicas.Count)} replicas on {Text(_fleet.Machines.Count)} machines: {Number(_full.Prediction.DecodeTokensPerSecondAt(streams))} tokens/s for {Text(streams)} streams, prefill {Number(_full.Prediction.PrefillTokensPerSecond)} tokens/s");
        }

        if (_plan.Replicas.Count <= MachinesShown)
            Row("map", _plan.ToMap().ToString());
        AnsiConsole.Write(grid);
    }

    private static void WriteReplica(Utf8JsonWriter json, ReplicaPlan replica)
    {
        json.WriteStartObject();
        json.WriteString("coordinator", replica.Coordinator);
        json.WriteNumber("micro_batches", replica.MicroBatches);
        json.WriteStartArray("stages");
        foreach (var stage in replica.Stages)
        {
            json.WriteStartObject();
            json.WriteNumber("first_layer", stage.Range.First);
            json.WriteNumber("end_layer", stage.Range.End);
            json.WriteString("machine", stage.Machine);
            json.WriteNumber("weight_bytes", stage.WeightBytes);
            json.WriteNumber("kv_bytes", stage.KvBytes);
            json.WriteNumber("state_bytes", stage.StateBytes);
            json.WriteNumber("activation_bytes", stage.ScratchBytes);
            json.WriteStartArray("expert_groups");
            foreach (var group in stage.ExpertGroups)
            {
                json.WriteStartObject();
                json.WriteString("machine", group.Machine);
                json.WriteNumber("weight_bytes", group.WeightBytes);
                json.WriteStartArray("experts");
                foreach (var experts in group.Experts)
                {
                    json.WriteStartArray();
                    foreach (var expert in experts)
                        json.WriteNumberValue(expert);
                    json.WriteEndArray();
                }

                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteSpeed(Utf8JsonWriter json, PlacementPlan plan, int streams)
    {
        json.WriteNumber("prefill_tokens_per_s", plan.Prediction.PrefillTokensPerSecond);
        json.WriteNumber("decode_streams", streams);
        json.WriteNumber("decode_tokens_per_s", plan.Prediction.DecodeTokensPerSecondAt(streams));
    }

    private static string Lower(WireFormat format) => format switch
    {
        WireFormat.F32 => "f32",
        WireFormat.Q8 => "q8",
        _ => "f16",
    };

    private static string Text(int value) => value.ToString("N0", CultureInfo.InvariantCulture);

    private static string Number(double value) => value switch
    {
        >= 1000 => value.ToString("N0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
        _ => value.ToString("0.00", CultureInfo.InvariantCulture),
    };
}
