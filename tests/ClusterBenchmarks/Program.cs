using System.Globalization;
using Slm.ClusterBenchmarks;

// soak MINUTES SEED
// cost FOLDER MODEL[,MODEL…] [ROUNDS] [THREADS]
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};
return args switch
{
    ["soak", var minutes, var seed] => await new Soak(TimeSpan.FromMinutes(Number(minutes)), (int)Number(seed)).RunAsync(stop.Token),
    ["cost", var folder, var models, .. var rest] => await new Cost(folder, models.Split(','), rest.Length > 0 ? (int)Number(rest[0]) : 5, rest.Length > 1 ? (int)Number(rest[1]) : 2).RunAsync(stop.Token),
    _ => Usage(),
};

static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

static int Usage()
{
    Console.Error.WriteLine("Give: soak MINUTES SEED, or: cost FOLDER 135M,1.1B [ROUNDS] [THREADS]");
    return 2;
}
