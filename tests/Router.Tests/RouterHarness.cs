using Slm.Router.Cascades;
using Slm.Router.Policies;
using Slm.Router.Records;
using Slm.Router.Signals;
using Slm.Shared.Storage;
using Slm.V1;

namespace Slm.Router.Tests;

/// <summary>A cascade over scripted models, with a database in a folder of its own.</summary>
internal sealed class RouterHarness : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("router-test").FullName;

    public RouterHarness()
    {
        Options = new RouterOptions { Policies = Path.Combine(_folder, "policies"), File = Path.Combine(_folder, "data", "router.db") };
        Database = Options.OpenDatabase();
        Ledger = new SpendLedger(Database, Time);
        Runner = new StageRunner(Models, Load, Time);
        Cascade = new Cascade(Runner, Models, Load, Ledger, Time);
    }

    public ManualTime Time { get; } = new();

    public ScriptedModels Models { get; } = new();

    public ModelLoad Load { get; } = new();

    public RouterOptions Options { get; }

    public ServiceDatabase Database { get; }

    public SpendLedger Ledger { get; }

    public StageRunner Runner { get; }

    public Cascade Cascade { get; }

    public static RoutePolicy Policy(string yaml, params string[] endpoints) => PolicyReader.Read(yaml, endpoints.ToHashSet(StringComparer.Ordinal));

    public Task<RoutedResult> RunAsync(RoutePolicy policy, string prompt = "Convert 5 km.", string tenant = "", long? timeoutMs = null)
    {
        var request = new GenerateRequest { Text = prompt, Scheduling = new SchedulingOptions() };
        if (timeoutMs is { } timeout)
            request.Scheduling.TimeoutMs = timeout;
        return Cascade.RunAsync(policy, new RoutedRequest("d1", tenant, request), null, TestContext.Current.CancellationToken);
    }

    public void Dispose()
    {
        Database.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
