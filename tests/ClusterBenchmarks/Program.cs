using System.Globalization;
using Slm.ClusterBenchmarks;

// soak MINUTES SEED
// cost FOLDER MODEL[,MODEL…] [ROUNDS] [SECONDS-OF-DELAY,…]
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};
return args switch
{
    ["soak", var minutes, var seed] => await new Soak(TimeSpan.FromMinutes(Number(minutes)), (int)Number(seed)).RunAsync(stop.Token),
    ["cost", var folder, var models, .. var rest] => await new Cost(folder, models.Split(','), rest.Length > 0 ? (int)Number(rest[0]) : 5).RunAsync(stop.Token),
    _ => Usage(),
};

static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

static int Usage()
{
    Console.Error.WriteLine("Give: soak MINUTES SEED, or: cost FOLDER 135M,1.1B [ROUNDS]");
    return 2;
}
