using System.Globalization;
using Slm.ToolBenchmarks;

switch (args)
{
    // set FILE
    case ["set", var file]:
        File.WriteAllLines(file, ToolData.Set().Select(c => c.ToLine()));
        return 0;
    // corpus FILE CHAT-TEMPLATE DOCUMENTS
    case ["corpus", var file, var template, var documents]:
        ToolData.WriteCorpus(file, File.ReadAllText(template), int.Parse(documents, CultureInfo.InvariantCulture));
        return 0;
    // measure SET MODEL HTTP GRPC PLOT
    case ["measure", var set, var model, var http, var grpc, var plot]:
        var cases = ToolCase.ReadFile(set);
        var ways = new List<SetMeasurement.Way>();
        foreach (var temperature in new[] { 0f, 1f })
        {
            ways.Add(await SetMeasurement.EnforcedAsync(cases, http, model, temperature, default));
            ways.Add(await SetMeasurement.FreeAsync(cases, grpc, model, temperature, default));
        }

        SetReport.Print(cases, ways, Console.Out);
        SetReport.Plot(cases, ways, plot);
        return ways.Where(w => w.IsEnforced).All(w => w.Verdicts.All(v => v.Valid)) ? 0 : 1;
    default:
        Console.Error.WriteLine("Give: set FILE | corpus FILE CHAT-TEMPLATE DOCUMENTS | measure SET MODEL HTTP GRPC PLOT");
        return 2;
}
