using System.Globalization;
using Slm.ClusterBenchmarks;

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};
return args switch
{
    ["soak", var minutes, var seed] => await new Soak(TimeSpan.FromMinutes(Number(minutes)), (int)Number(seed)).RunAsync(stop.Token),
    ["cost", var folder, var models, .. var rest] => await new StageCost(folder, models.Split(','), Or(rest, 0, 5), Or(rest, 1, 2)).RunAsync(stop.Token),
    ["experts", var folder, .. var rest] => await new ExpertCost(folder, Or(rest, 0, 5), Or(rest, 1, 2)).RunAsync(stop.Token),
    ["prompt", var folder, var models, .. var rest] => await new PromptCost(folder, models.Split(','), Or(rest, 0, 3), Or(rest, 1, 2)).RunAsync(stop.Token),
    ["delay", var folder, var models, var delays, .. var rest] =>
        await new DelayCost(folder, models.Split(','), [.. delays.Split(',').Select(Number)], Or(rest, 0, 5), Or(rest, 1, 2)).RunAsync(stop.Token),
    _ => Usage(),
};

static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

static int Or(string[] rest, int index, int otherwise) => rest.Length > index ? (int)Number(rest[index]) : otherwise;

static int Usage()
{
    Console.Error.WriteLine("""
        Give one of:
        soak MINUTES SEED
        cost FOLDER 135M,1.1B [ROUNDS] [THREADS]
        experts FOLDER [ROUNDS] [THREADS]
        prompt FOLDER 135M,1.1B [ROUNDS] [THREADS]
        delay FOLDER 135M,1.1B 0.2,1,5 [ROUNDS] [THREADS]
        """);
    return 2;
}
