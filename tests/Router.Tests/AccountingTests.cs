using Slm.Router.Accounting;
using Slm.V1;

namespace Slm.Router.Tests;

public sealed class AccountingTests
{
    [Fact]
    public void The_hand_counted_ledger_is_met()
    {
        // 100 tasks at 1 on the small model, 20 of them also at 20 on the large one, 92 successes.
        RequestFigures[] cascade = [.. Enumerable.Range(0, 100).Select(i => Request(i < 20 ? 21 : 1, success: i < 92, fallback: i < 20))];
        var summary = RouteAccounting.Summarize(cascade);
        Assert.Equal(5.4348, summary.CostPerSuccess, 4);
        Assert.Equal(500.0 / 92, summary.CostPerSuccess, 1e-12);
        Assert.Equal(0.2, summary.Fallback.Value, 1e-12);
        Assert.InRange(500.0 / 92, summary.CostPerSuccessLower, summary.CostPerSuccessUpper);
        RequestFigures[] large = [.. Enumerable.Range(0, 100).Select(i => Request(20, success: i < 95))];
        Assert.Equal(21.0526, RouteAccounting.Summarize(large).CostPerSuccess, 4);
    }

    [Fact]
    public void Without_a_success_there_is_no_cost_per_success()
    {
        Assert.False(RouteAccounting.Summarize([Request(1, success: false), Request(2, success: null)]).HasCostPerSuccess);
        var nothing = RouteAccounting.Summarize([]);
        Assert.False(nothing.HasCostPerSuccess || nothing.HasLatencyP95Ms || nothing.Success.HasValue);
    }

    [Fact]
    public void Costs_of_requests_whose_outcome_is_unknown_do_not_count_to_the_successes()
    {
        var summary = RouteAccounting.Summarize([Request(3, success: true), Request(100, success: null)]);
        Assert.Equal(3, summary.CostPerSuccess);
        Assert.Equal(51.5, summary.MeanCost);
    }

    [Fact]
    public void Latencies_are_those_of_all_requests()
    {
        RequestFigures[] requests = [.. Enumerable.Range(1, 100).Select(i => Request(0, success: i < 50, latency: i))];
        var summary = RouteAccounting.Summarize(requests);
        Assert.Equal(50.5, summary.LatencyP50Ms, 1e-9);
        Assert.Equal(95.05, summary.LatencyP95Ms, 1e-9);
    }

    [Fact]
    public void Measured_and_estimated_energy_are_kept_apart()
    {
        var summary = RouteAccounting.Summarize([
            Request(1, true) with { Energy = new Energy { Joules = 10, Source = EnergySource.Measured } },
            Request(1, true) with { Energy = new Energy { Joules = 4, Source = EnergySource.Estimated } },
            Request(1, true) with { Energy = new Energy { Joules = 6, Source = EnergySource.Estimated } },
        ]);
        Assert.Equal((10.0, 1, 5.0, 2), (summary.MeasuredJoulesPerRequest, summary.MeasuredRequests, summary.EstimatedJoulesPerRequest, summary.EstimatedRequests));
    }

    [Fact]
    public void Energy_of_a_span_goes_to_the_requests_at_work_in_equal_parts()
    {
        var joules = 5.0;
        var meter = new EnergyMeter(EnergySource.Measured, () => joules);
        joules += 100;
        var first = meter.Begin();
        joules += 10;
        var second = meter.Begin();
        joules += 30;
        var used = meter.End(first);
        joules += 7;
        Assert.Equal(25, used.Joules, 1e-9);
        Assert.Equal(22, meter.End(second).Joules, 1e-9);
        Assert.Equal(EnergySource.Measured, used.Source);
    }

    [Fact]
    public void Counters_of_all_packages_are_summed_and_may_begin_anew()
    {
        var folder = Directory.CreateTempSubdirectory("powercap").FullName;
        try
        {
            Assert.Null(EnergyMeter.PackageCounters(folder));
            Write("intel-rapl:0", 900_000, 1_000_000);
            Write("intel-rapl:1", 5_000_000, 9_000_000);
            // A part of package 0, which that counts already.
            Write("intel-rapl:0:0", 1, 2);
            var counter = EnergyMeter.PackageCounters(folder)!;
            Assert.Equal(0, counter());
            Write("intel-rapl:0", 100_000, 1_000_000);
            Write("intel-rapl:1", 6_000_000, 9_000_000);
            Assert.Equal(1.2, counter(), 1e-9);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        void Write(string package, long energy, long range)
        {
            Directory.CreateDirectory(Path.Combine(folder, package));
            File.WriteAllText(Path.Combine(folder, package, "energy_uj"), $"{energy}\n");
            File.WriteAllText(Path.Combine(folder, package, "max_energy_range_uj"), $"{range}\n");
        }
    }

    private static RequestFigures Request(double cost, bool? success, bool fallback = false, double latency = 1) => new(cost, latency, fallback, success, null, null);
}
