using Microsoft.Extensions.Logging.Abstractions;
using Slm.Contracts.Grains;
using Slm.Router.Policies;

namespace Slm.Router.Tests;

public sealed class PolicyStoreTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("policies").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_changed_file_is_read_and_a_faulty_one_leaves_the_old_policy_in_place()
    {
        var time = new ManualTime();
        using var store = Store(time);
        Assert.Contains("There are none", Assert.Throws<StatusException>(() => store.Get(null)).Status.Message, StringComparison.Ordinal);
        Write("a.yaml", "name: a\nstages: [{ model: m1 }]", 1);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("m1", store.Get("a").Stages[0].Model.Model);

        Write("a.yaml", "name: a\nstages: [{ model: m2 }]", 2);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("m2", store.Get(null).Stages[0].Model.Model);

        Write("a.yaml", "name: a\nstages: []", 3);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal("m2", store.Get("a").Stages[0].Model.Model);
        var listed = Assert.Single(store.List().Policies);
        Assert.Equal(2, Assert.Single(listed.Problems).Line);
        Assert.Equal(store.Get("a").Hash, listed.Hash);

        Write("a.yaml", "name: a\nstages: [{ model: m3 }]", 4);
        Assert.Empty(Assert.Single(store.List().Policies).Problems);
        File.Delete(Path.Combine(_folder, "a.yaml"));
        Assert.Empty(store.List().Policies);
    }

    [Fact]
    public void Two_files_may_not_have_one_name()
    {
        Write("a.yaml", "name: same\nstages: [{ model: m1 }]", 1);
        Write("b.yaml", "name: same\nstages: [{ model: m2 }]", 1);
        using var store = Store(new ManualTime());
        Assert.Equal("m1", store.Get("same").Stages[0].Model.Model);
        Assert.Contains("a.yaml", Assert.Single(store.List().Policies[1].Problems).Message, StringComparison.Ordinal);
    }

    private PolicyStore Store(ManualTime time)
    {
        var store = new PolicyStore(new RouterOptions { Policies = _folder, File = "" }, time, new NullLogger<PolicyStore>());
        Assert.True(store.StartAsync(TestContext.Current.CancellationToken).IsCompletedSuccessfully);
        return store;
    }

    private void Write(string name, string text, int minute)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        File.SetLastWriteTimeUtc(path, new DateTime(2026, 1, 1, 0, minute, 0, DateTimeKind.Utc));
    }
}
