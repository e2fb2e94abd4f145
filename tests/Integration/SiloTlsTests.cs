using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Slm.Engine.Tests;
using Slm.Inference;
using Slm.Inference.Cluster;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Integration;

/// <summary>TLS between silos, with authorities and certificates of the test's own.</summary>
public sealed class SiloTlsTests : IDisposable
{
    private const string Model = "llama-untied-f32";
    private readonly string _folder = Directory.CreateTempSubdirectory("slm-tls-").FullName;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Silos_with_certificates_of_one_authority_compute_together()
    {
        await using var server = await PostgreSqlServer.StartAsync(Cancelled);
        using var authority = new TestAuthority(_folder, "ours");
        using var model = new OwnModel(Model);
        await using var first = await SiloHost.StartAsync(server.ConnectionString, [.. Tls(authority, "silo", "a"), ("Slm:Inference:Tls:Names", "silo"), model.Setting]);
        await using var second = await SiloHost.StartAsync(server.ConnectionString, [.. Tls(authority, "silo", "b"), ("Slm:Inference:Tls:Names", "other;silo"), model.Setting]);

        await first.Models.LoadAsync(new LoadModelRequest { Model = model.Name, Placement = new Placement { Map = "0@a,1-2@b" } }, cancellationToken: Cancelled);
        var reference = ReferenceModel.Read(Model);
        using var measured = new Measurements(ClusterMetrics.MeterName);
        var begun = TimeProvider.System.GetTimestamp();

        // Direct connections speak it as well; they are made while answers go on.
        do
        {
            var answer = await second.Inference.GenerateOnceAsync(GenerationTests.Greedy(model.Name, reference.Tokens, reference.Greedy.Length), cancellationToken: Cancelled);
            Assert.Equal(reference.Greedy, answer.TokenIds);
        }
        while (Frames() == 0 && TimeProvider.System.GetElapsedTime(begun) < TimeSpan.FromMinutes(1));
        Assert.NotEqual(0, Frames());

        double Frames() => measured.Sum(ClusterMetrics.DirectFrames, (ClusterMetrics.ModelTag, model.Name), (ClusterMetrics.KindTag, "pass"));
    }

    [Theory]
    [InlineData("theirs", "silo", "not signed by a certificate of Tls:CaPath")]
    [InlineData("ours", "stranger", "made out to none of Tls:Names (silo)")]
    public async Task A_silo_with_another_certificate_cannot_join(string authority, string name, string reason)
    {
        await using var server = await PostgreSqlServer.StartAsync(Cancelled);
        using var ours = new TestAuthority(_folder, "ours");
        using var theirs = new TestAuthority(_folder, "theirs");
        using var logs = new Logs(reason);
        await using var first = SiloHost.Create(server.ConnectionString, logs, [.. Tls(ours, "silo", "a"), ("Slm:Inference:Tls:Names", "silo"), ("Logging:LogLevel:Slm", "Warning")]);
        await first.StartAsync(Cancelled);

        // It takes the first one's certificate itself: only that one's check keeps it out.
        var issuer = authority == "ours" ? ours : theirs;
        var both = Path.Combine(_folder, "both.pem");
        await File.WriteAllTextAsync(both, await File.ReadAllTextAsync(ours.CaPath, Cancelled) + await File.ReadAllTextAsync(theirs.CaPath, Cancelled), Cancelled);
        using var stranger = SiloHost.StartProcess(server.ConnectionString, [.. Tls(issuer, name, "b"), ("Slm:Inference:Tls:CaPath", both)]);
        try
        {
            Assert.Contains($"CN={name}", await logs.Found.WaitAsync(TimeSpan.FromMinutes(1), Cancelled), StringComparison.Ordinal);
            Assert.Equal(["a"], (await first.Cluster.ListSilosAsync(new ListSilosRequest(), cancellationToken: Cancelled)).Silos.Select(s => s.Silo_));
        }
        finally
        {
            stranger.Kill(entireProcessTree: true);
            await stranger.WaitForExitAsync(CancellationToken.None);
        }
    }

    [Fact]
    public void A_setting_that_cannot_be_used_is_named()
    {
        using var ours = new TestAuthority(_folder, "ours");
        using var theirs = new TestAuthority(_folder, "theirs");
        var good = Tls(ours, "silo", "a").ToDictionary(s => s.Key["Slm:Inference:Tls:".Length..], s => s.Value);
        var empty = Path.Combine(_folder, "empty.pem");
        File.WriteAllText(empty, "");
        Assert.NotNull(SiloTls.From(With(good)));
        Assert.Null(SiloTls.From(With([])));
        Names("CaPath", "", "name a PEM file");
        Names("CaPath", empty, "be a PEM file with certificates");
        Names("CaPath", theirs.CaPath, "other silos take", at: "CertificatePath");
        Names("CertificatePath", "/nonesuch.pem", "be a PEM file with a certificate");
        Names("KeyPath", ours.Sign("silo", "b").KeyPath, "be a PEM file with the key of Tls:CertificatePath");
        Names("Names", "other", "made out to none of Tls:Names (other)", at: "CertificatePath");

        void Names(string setting, string value, string rule, string? at = null)
        {
            var error = Assert.Throws<OptionException>(() => SiloTls.From(With(new Dictionary<string, string>(good) { [setting] = value })));
            Assert.Equal($"Slm:Inference:Tls:{at ?? setting}", error.Setting);
            Assert.Contains(rule, error.Message, StringComparison.Ordinal);
        }
    }

    private static IConfiguration With(Dictionary<string, string> tls) => new ConfigurationBuilder()
        .AddInMemoryCollection(tls.Where(s => s.Key != "SiloName").Select(s => KeyValuePair.Create($"Slm:Inference:Tls:{s.Key}", (string?)s.Value))).Build();

    /// <summary>A silo's settings with a certificate of its own.</summary>
    private static (string Key, string Value)[] Tls(TestAuthority authority, string name, string silo)
    {
        var (certificate, key) = authority.Sign(name, silo);
        return
        [
            ("Slm:Inference:Tls:CertificatePath", certificate),
            ("Slm:Inference:Tls:KeyPath", key),
            ("Slm:Inference:Tls:CaPath", authority.CaPath),
            ("Slm:Inference:SiloName", silo),
        ];
    }

    /// <summary>Waits for a message.</summary>
    private sealed class Logs(string text) : ILoggerProvider, ILogger
    {
        private readonly TaskCompletionSource<string> _found = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> Found => _found.Task;

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            var message = formatter(state, exception);
            if (message.Contains(text, StringComparison.Ordinal))
                _found.TrySetResult(message);
        }

        public void Dispose()
        {
        }
    }
}
