using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Engine.Tests.Stages;

public sealed class ExpertBatchTests
{
    private const int Tokens = 9;
    private const int Experts = 7;

    public static TheoryData<ExpertGating, bool, int> Cases => new(
        from gating in new[] { ExpertGating.Softmax, ExpertGating.Sigmoid }
        from normalize in new[] { true, false }
        from used in new[] { 1, 3, Experts }
        select new TheoryDataRow<ExpertGating, bool, int>(gating, normalize, used));

    [Theory]
    [MemberData(nameof(Cases))]
    public unsafe void The_largest_scores_are_chosen_and_weighed_as_the_definition_says(ExpertGating gating, bool normalize, int used)
    {
        using var batch = Create(gating, normalize, used);
        var random = new Random(5);
        for (var i = 0; i < Tokens * Experts; i++)
            batch.Scores[i] = (float)((random.NextDouble() * 8) - 4);
        for (var token = 0; token < Tokens; token++)
            batch.Choose(token);
        batch.Sort(Tokens);

        Assert.Equal(Tokens * used, batch.Visits);
        var visited = new HashSet<int>();
        for (var token = 0; token < Tokens; token++)
        {
            var scores = Enumerable.Range(0, Experts).Select(e => (double)batch.Scores[(token * Experts) + e]).ToArray();
            var chosen = Enumerable.Range(0, Experts).OrderByDescending(e => scores[e]).Take(used).Order().ToArray();
            var weights = scores.Select(s => gating == ExpertGating.Sigmoid ? 1 / (1 + Math.Exp(-s)) : Math.Exp(s) / scores.Sum(Math.Exp)).ToArray();
            var sum = normalize ? chosen.Sum(e => weights[e]) : 1;
            for (var i = 0; i < used; i++)
            {
                var visit = batch.VisitsOf(token)[i];
                Assert.InRange(visit, batch.Begin(chosen[i]), batch.Begin(chosen[i]) + batch.Count(chosen[i]) - 1);
                Assert.True(visited.Add(visit));
                Assert.Equal(weights[chosen[i]] / sum, batch.Weights(token)[i], 1e-6);
            }
        }

        Assert.Equal(Enumerable.Range(0, Experts).Where(e => batch.Count(e) > 0), batch.Active.ToArray());
    }

    [Fact]
    public unsafe void Of_equal_scores_the_lower_expert_is_chosen_and_scores_that_are_no_numbers_do_no_harm()
    {
        using var batch = Create(ExpertGating.Softmax, normalize: true, used: 2);
        for (var i = 0; i < 2 * Experts; i++)
            batch.Scores[i] = i < Experts ? 1 : float.NaN;
        batch.Choose(0);
        batch.Choose(1);
        batch.Sort(2);
        Assert.Equal([0, 1], batch.Active.ToArray());
        Assert.Equal([0.5f, 0.5f], batch.Weights(0).ToArray());
    }

    private static ExpertBatch Create(ExpertGating gating, bool normalize, int used)
    {
        using var file = ReferenceModel.Open("qwen3moe-f32");
        return new ExpertBatch(
            file.Config with
            {
                Experts = new ExpertConfig { Count = Experts, UsedCount = used, FeedForwardSize = 32, Gating = gating, Normalize = normalize },
            },
            Tokens);
    }
}
