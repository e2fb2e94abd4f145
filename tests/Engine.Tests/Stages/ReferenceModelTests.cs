using Slm.Engine.Execution;

namespace Slm.Engine.Tests.Stages;

public sealed class ReferenceModelTests
{
    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (var model in ReferenceModel.Names)
            {
                foreach (var kernels in StepRunner.KernelSets)
                    cases.Add(model, kernels);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Logits_match_the_reference_at_every_position(string model, string kernels)
    {
        var reference = ReferenceModel.Read(model);
        using var file = ReferenceModel.Open(model);
        await using var pipeline = StepRunner.Load(file, kernels);
        var vocab = file.Config.VocabSize;
        var logits = StepRunner.Logits(pipeline, reference.Tokens, [3, 1], int.MaxValue, encoder: reference.Encoder);

        Assert.Equal(reference.Tokens.Length * vocab, logits.Length);
        var worst = 0f;
        for (var p = 0; p < reference.Positions.Length; p++)
        {
            foreach (var (id, logit) in reference.Positions[p])
                worst = MathF.Max(worst, MathF.Abs(logits[(p * vocab) + id] - logit));
        }

        var squares = 0.0;
        for (var i = 0; i < vocab; i++)
        {
            var difference = logits[logits.Length - vocab + i] - reference.Last[i];
            worst = MathF.Max(worst, MathF.Abs(difference));
            squares += difference * difference;
        }

        var rms = Math.Sqrt(squares / vocab);
        TestContext.Current.TestOutputHelper?.WriteLine($"{model} {kernels}: max abs {worst:g3} of {reference.MaxAbs}, last rms {rms:g3} of {reference.LastRms}");
        Assert.InRange(worst, 0, reference.MaxAbs);
        Assert.InRange(rms, 0, reference.LastRms ?? reference.MaxAbs);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task The_greedy_continuation_is_the_recorded_one(string model, string kernels)
    {
        var reference = ReferenceModel.Read(model);
        using var file = ReferenceModel.Open(model);
        await using var pipeline = StepRunner.Load(file, kernels);
        var batch = new StepBatch();
        var tokens = reference.Tokens.ToList();
        var greedy = new List<int>();
        if (reference.Encoder.Length > 0)
            StepRunner.Encode(pipeline, reference.Encoder, [0, 1]);
        batch.Add(reference.Tokens, 0, [0, 1], 1, stateSlot: 3, encoderTokens: reference.Encoder.Length);
        while (true)
        {
            var next = StepRunner.ArgMax(StepRunner.Forward(pipeline, batch).Span);
            greedy.Add(next);
            if (greedy.Count == reference.Greedy.Length)
                break;
            batch.Clear();
            batch.Add([next], tokens.Count, [0, 1], 1, stateSlot: 3, encoderTokens: reference.Encoder.Length);
            tokens.Add(next);
        }

        Assert.Equal(reference.Greedy, greedy);
    }
}
