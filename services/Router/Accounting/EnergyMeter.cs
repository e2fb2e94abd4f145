using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using Slm.V1;

namespace Slm.Router.Accounting;

/// <summary>
/// Energy of requests. Of each span of time all of it goes to the requests that were at work, in equal parts, since a batch gives
/// each of its sequences one token a step: the sum over the requests is what the counters say. Either the processor packages'
/// counters are read, or processor time is multiplied by watts; a meter does only one of them.
/// </summary>
internal sealed partial class EnergyMeter
{
    private readonly Lock _gate = new();
    private readonly HashSet<Share> _running = [];
    private readonly Func<double> _joules;
    private double _last;

    /// <param name="source">What <paramref name="joules"/> is.</param>
    /// <param name="joules">A counter of joules that only grows.</param>
    public EnergyMeter(EnergySource source, Func<double> joules)
    {
        (Source, _joules) = (source, joules);
        _last = joules();
    }

    /// <summary>What it reads.</summary>
    public EnergySource Source { get; }

    /// <summary>
    /// The meter of this machine; null if the counters cannot be read and the models compute in other processes, whose processor
    /// time is not known here.
    /// </summary>
    public static EnergyMeter? Create(RouterOptions options, bool computesHere)
    {
        if (PackageCounters(options.PowerCap) is { } packages)
            return new EnergyMeter(EnergySource.Measured, packages);
        if (!computesHere)
            return null;
        var process = Process.GetCurrentProcess();
        return new EnergyMeter(EnergySource.Estimated, () =>
        {
            process.Refresh();
            return process.TotalProcessorTime.TotalSeconds * options.WattsPerProcessor;
        });
    }

    /// <summary>A request begins.</summary>
    public Share Begin()
    {
        lock (_gate)
        {
            Advance();
            var share = new Share();
            _running.Add(share);
            return share;
        }
    }

    /// <summary>It ends; what it used.</summary>
    public Energy End(Share share)
    {
        lock (_gate)
        {
            Advance();
            _running.Remove(share);
            return new Energy { Joules = share.Joules, Source = Source };
        }
    }

    /// <summary>The sum of the packages' counters in joules, made to grow where one begins anew; null if they cannot be read.</summary>
    internal static Func<double>? PackageCounters(string folder)
    {
        try
        {
            var packages = Directory.Exists(folder) ? Directory.GetDirectories(folder).Where(d => PackageName().IsMatch(Path.GetFileName(d))).ToArray() : [];
            if (packages.Length == 0)
                return null;
            var ranges = packages.Select(p => Read(p, "max_energy_range_uj")).ToArray();
            var last = packages.Select(p => Read(p, "energy_uj")).ToArray();
            var total = 0.0;
            return () =>
            {
                for (var i = 0; i < packages.Length; i++)
                {
                    var now = Read(packages[i], "energy_uj");
                    total += (now >= last[i] ? now - last[i] : now + ranges[i] - last[i]) / 1e6;
                    last[i] = now;
                }

                return total;
            };
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or FormatException)
        {
            // Kernels let only root read them since 2020 (CVE-2020-8694).
            return null;
        }

        static double Read(string package, string file) => double.Parse(File.ReadAllText(Path.Combine(package, file)), CultureInfo.InvariantCulture);
    }

    private void Advance()
    {
        var now = _joules();
        foreach (var share in _running)
            share.Joules += (now - _last) / _running.Count;
        _last = now;
    }

    [GeneratedRegex(@"^intel-rapl:\d+$")]
    private static partial Regex PackageName();

    /// <summary>A request at work.</summary>
    internal sealed class Share
    {
        public double Joules { get; set; }
    }
}
