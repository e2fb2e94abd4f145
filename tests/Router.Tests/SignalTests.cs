using Slm.Router.Policies;
using Slm.Router.Signals;
using Slm.V1;

namespace Slm.Router.Tests;

public sealed class SignalTests
{
    [Fact]
    public void Forced_tokens_are_left_out()
    {
        TokenLogProb[] tokens = [Token(-0.2f), Token(-0.6f), Token(0f, forced: true), Token(0f, forced: true)];
        var signals = AnswerSignals.Of(tokens);
        Assert.Equal(-0.4, signals[SignalNames.MeanLogProb], 1e-6);
        Assert.Equal(-0.6, signals[SignalNames.MinLogProb], 1e-6);
        Assert.Empty(AnswerSignals.Of([Token(0f, forced: true)]));
        Assert.Empty(AnswerSignals.Of([new TokenLogProb()]));
    }

    [Fact]
    public void The_entropy_of_a_known_distribution_is_its_own()
    {
        var token = new TokenLogProb { Logprob = MathF.Log(0.5f) };
        foreach (var p in new[] { 0.5, 0.25, 0.25 })
            token.Top.Add(new TopLogProb { Logprob = (float)Math.Log(p) });
        // 1.5 bits of at most 2, for the rest beyond the three counts as an outcome.
        Assert.Equal(0.75, AnswerSignals.NormalizedEntropy(token), 1e-6);
        var even = new TokenLogProb { Logprob = MathF.Log(0.25f) };
        for (var i = 0; i < 3; i++)
            even.Top.Add(new TopLogProb { Logprob = MathF.Log(0.25f) });
        Assert.Equal(1, AnswerSignals.NormalizedEntropy(even), 1e-6);
        var sure = new TokenLogProb { Logprob = 0 };
        sure.Top.Add(new TopLogProb { Logprob = 0 });
        Assert.Equal(0, AnswerSignals.NormalizedEntropy(sure), 1e-6);
    }

    [Fact]
    public void A_model_knows_prompts_that_begin_alike()
    {
        var load = new ModelLoad();
        var model = new ModelReference(null, "m");
        var prompt = new string('x', 512) + "tail";
        Assert.Equal(0, load.Locality(model, prompt));
        using (load.Begin(model, prompt))
            Assert.Equal(1, load.Of(model));
        Assert.Equal(0, load.Of(model));
        Assert.Equal(512.0 / 516, load.Locality(model, prompt), 1e-9);
        Assert.Equal(256.0 / 512, load.Locality(model, new string('x', 256) + new string('y', 256)), 1e-9);
        Assert.Equal(0, load.Locality(new ModelReference(null, "other"), prompt));
    }

    private static TokenLogProb Token(float logprob, bool forced = false) => new() { Logprob = logprob, Forced = forced };
}
