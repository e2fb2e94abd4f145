using Slm.Training.Configuration;
using Slm.Training.Kernels;
using Slm.Training.Pretraining;

namespace Slm.Training.Tests;

public sealed class PretrainRunTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public void Loss_falls_and_the_run_ends_after_its_steps()
    {
        using var run = TinyRun.Create<SingleStorage>(null);
        var before = run.Validate();
        Assert.Equal(Math.Log(320), before, 0.3);
        var reports = new List<StepReport>();
        Assert.True(run.Run(reports.Add, Token));
        Assert.Equal(20, run.State.Step);
        Assert.Equal(20, reports.Count);
        Assert.True(run.Validate() < 0.75 * before, $"{before} to {run.Validate()}");
        Assert.Equal([10, 20], run.State.Curve.Where(p => p.Validation is not null).Select(p => p.Step));
    }

    [Theory]
    [InlineData(8)]
    [InlineData(15)]
    public void Resuming_from_a_checkpoint_gives_the_bits_of_an_uninterrupted_run(int stop)
    {
        using var folder = new TemporaryFolder();
        using var whole = TinyRun.Create<BrainStorage>(null);
        whole.Run(_ => { }, Token);
        string checkpoint;
        using (var first = TinyRun.Create<BrainStorage>(folder.Path))
        {
            Assert.False(first.Run(_ => { }, Token, lastStep: stop));
            checkpoint = first.Save("stopped.ckpt");
        }

        using var second = TinyRun.Create<BrainStorage>(folder.Path);
        second.Resume(checkpoint);
        Assert.True(second.Run(_ => { }, Token));
        Assert.Equal(whole.State.Tokens, second.State.Tokens);
        Assert.True(whole.Weights.SequenceEqual(second.Weights));
    }

    [Fact]
    public void Number_of_threads_does_not_change_a_bit()
    {
        using var one = TinyRun.Create<BrainStorage>(null, TinyRun.Yaml + "\n  threads: 1\n");
        using var three = TinyRun.Create<BrainStorage>(null, TinyRun.Yaml + "\n  threads: 3\n");
        one.Run(_ => { }, Token, lastStep: 6);
        three.Run(_ => { }, Token, lastStep: 6);
        Assert.True(one.Weights.SequenceEqual(three.Weights));
    }

    [Fact]
    public void Weights_that_are_not_numbers_stop_the_run_and_name_step_and_checkpoint()
    {
        using var folder = new TemporaryFolder();
        using var run = TinyRun.Create<SingleStorage>(folder.Path);
        run.Run(_ => { }, Token, lastStep: 3);
        var checkpoint = run.Save("stable.ckpt");
        run.Weights[run.Layout.OutputNorm.Offset] = float.NaN;
        var error = Assert.Throws<DivergedException>(() => run.Run(_ => { }, Token));
        Assert.Equal(4, error.Step);
        Assert.Equal(checkpoint, error.LastCheckpoint);
        Assert.Contains(checkpoint, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Checkpoint_of_another_configuration_is_refused()
    {
        using var folder = new TemporaryFolder();
        using var run = TinyRun.Create<SingleStorage>(folder.Path);
        var checkpoint = run.Save("a.ckpt");
        using var other = TinyRun.Create<SingleStorage>(folder.Path, TinyRun.Yaml.Replace("seed: 3", "seed: 4", StringComparison.Ordinal));
        Assert.Throws<InvalidDataException>(() => other.Resume(checkpoint));
        using var larger = TinyRun.Create<SingleStorage>(folder.Path, TinyRun.Yaml.Replace("layers: 2", "layers: 3", StringComparison.Ordinal));
        Assert.Contains("weights", Assert.Throws<InvalidDataException>(() => larger.Resume(checkpoint)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Larger_token_budget_moves_a_decay_that_has_not_begun()
    {
        using var folder = new TemporaryFolder();
        string checkpoint;
        using (var run = TinyRun.Create<SingleStorage>(folder.Path))
        {
            Assert.Equal((12, 8), (run.Schedule.DecayStart, run.Schedule.DecaySteps));
            run.Run(_ => { }, Token, lastStep: 5);
            checkpoint = run.Save("stable.ckpt");
        }

        using var longer = TinyRun.Create<SingleStorage>(folder.Path, TinyRun.Yaml.Replace("10_240", "20_480", StringComparison.Ordinal));
        longer.Resume(checkpoint);
        Assert.Equal((24, 16), (longer.Schedule.DecayStart, longer.Schedule.DecaySteps));
    }

    [Fact]
    public void Time_budget_that_is_spent_starts_the_decay_at_once()
    {
        using var run = TinyRun.Create<SingleStorage>(null, TinyRun.Yaml + "\n  max_minutes: 1e-9\n");
        Assert.True(run.Run(_ => { }, Token));
        Assert.Equal((1, 1), (run.State.DecayStart, run.State.DecaySteps));
    }

    [Fact]
    public void Cancelled_run_stops_between_steps()
    {
        using var run = TinyRun.Create<SingleStorage>(null);
        using var stop = new CancellationTokenSource();
        Assert.False(run.Run(report =>
        {
            if (report.Step == 2)
                stop.Cancel();
        }, stop.Token));
        Assert.Equal(2, run.State.Step);
    }
}
