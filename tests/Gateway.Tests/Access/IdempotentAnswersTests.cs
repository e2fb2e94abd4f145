using Slm.Gateway.Access.Idempotency;

namespace Slm.Gateway.Tests.Access;

public sealed class IdempotentAnswersTests
{
    [Fact]
    public void Answers_are_kept_for_their_time()
    {
        var time = new ManualTime();
        var answers = new IdempotentAnswers(1 << 20, TimeSpan.FromMinutes(10), time);
        Assert.Equal(KeyState.New, answers.Claim("me", "k", "f").State);
        Assert.Equal(KeyState.Running, answers.Claim("me", "k", "f").State);
        Assert.Equal(KeyState.Different, answers.Claim("me", "k", "g").State);
        var answer = new KeptAnswer(200, [], [1, 2]);
        answers.Settle("me", "k", answer);
        Assert.Equal((KeyState.Answered, answer), answers.Claim("me", "k", "f"));
        Assert.Equal(KeyState.Different, answers.Claim("me", "k", "g").State);
        Assert.Equal(KeyState.New, answers.Claim("you", "k", "f").State);
        time.Advance(TimeSpan.FromMinutes(11));
        Assert.Equal(KeyState.New, answers.Claim("me", "k", "f").State);
    }

    [Fact]
    public void The_oldest_give_way_to_new_ones_and_one_that_cannot_fit_is_not_kept()
    {
        var answers = new IdempotentAnswers(4000, TimeSpan.FromMinutes(10), new ManualTime());
        foreach (var key in new[] { "a", "b", "c" })
        {
            answers.Claim("me", key, "f");
            answers.Settle("me", key, new KeptAnswer(200, [], new byte[1000]));
        }

        Assert.Equal(KeyState.New, answers.Claim("me", "a", "f").State);
        Assert.Equal(KeyState.Answered, answers.Claim("me", "b", "f").State);
        Assert.Equal(KeyState.Answered, answers.Claim("me", "c", "f").State);
        answers.Settle("me", "a", new KeptAnswer(200, [], new byte[5000]));
        Assert.Equal(KeyState.New, answers.Claim("me", "a", "f").State);
        Assert.Equal(KeyState.Answered, answers.Claim("me", "c", "f").State);
    }

    [Fact]
    public void A_failed_request_frees_its_key()
    {
        var answers = new IdempotentAnswers(4000, TimeSpan.FromMinutes(10), new ManualTime());
        answers.Claim("me", "a", "f");
        answers.Settle("me", "a", null);
        Assert.Equal(KeyState.New, answers.Claim("me", "a", "another").State);
    }
}
