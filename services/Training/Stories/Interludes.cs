using static Slm.Training.Stories.EventKind;

namespace Slm.Training.Stories;

/// <summary>Small sub-plots that fit between the beats of any story: each has its own cause and effect.</summary>
internal static class Interludes
{
    /// <summary>Something the hero wears or carries that day.</summary>
    public static void Keepsake(Tale t)
    {
        t.Some('3', NounKind.Clothes, NounKind.Treasure, NounKind.Paper, NounKind.Nature, NounKind.Toy);
        t.Own('h', '3');
        t.Tell(t.Thing('3').Noun.Kind == NounKind.Clothes
            ? "[{h.n} wore {3.a} nearly every day.|Everybody knew {h.n} by {3.a} that {h.he} liked to wear.|That day {h.n} put on {3.a}.]"
            : "[{h.n} had {3.a} that {h.he} took everywhere.|The most precious thing that {h.n} had was {3.a}.|In a little bag, {h.n} carried {3.a} for good luck.|Wherever {h.n} went, {h.he} took {3.a} along.]");
    }

    /// <summary>Tells one sub-plot where the hero is. Alone: the hero; with a friend: both.</summary>
    public static void Tell(Tale t, char place, char friend = '\0')
    {
        bool outdoor = t.Where(place).Outdoor;
        bool two = friend != '\0';
        string f = "{" + friend + ".n}";
        switch (t.Random.Next(outdoor ? 10 : 5))
        {
            case 0:
                t.Some('1', NounKind.Food);
                t.Own('h', '1');
                if (two)
                {
                    t.Ev(Eat, 'h', '1');
                    t.Tell($"[{{h.n}} and {f} got hungry, so they sat down and shared {{1.a}}.|First, {{h.n}} and {f} ate {{1.a}}, because they were hungry.|{{h.n}} had brought {{1.a}}, and {f} got half of {{1.it}}.]");
                }
                else
                {
                    t.Ev(Eat, 'h', '1');
                    t.Tell("[{h.n} got hungry and ate {1.a}.|{h.s} tummy made a funny sound, so {h.he} ate {1.a}.|For a little break, {h.n} sat down and ate {1.a}.]");
                }

                break;
            case 1:
                t.Some('1', NounKind.Clothes);
                t.Own('h', '1');
                t.Tell("[{h.n} wore {1.a} that day.|That day {h.n} had put on {1.a}, because it was a special day.|{h.n} was proud of {1.a} that {h.he} wore that day.]");
                break;
            case 2:
                t.Activity('2', VerbKind.Calm);
                t.Tell(two
                    ? $"[For a while, {{h.n}} and {f} talked about everything and nothing.|{f} told a joke, and {{h.n}} laughed.|{{h.n}} and {f} sang a silly song and [forgot the words|sang it three times].]"
                    : "[{h.n} sang a little song and felt good.|{h.n} was in a good mood and said hello to everybody.|{h.n} was thinking of dinner and did not hurry.]");
                break;
            case 3:
                t.Some('1', outdoor ? [NounKind.Box, NounKind.Tool] : [NounKind.Box, NounKind.Furniture]);
                t.Tell("[Near the door {1.was} {1.a}, but {h.n} hardly looked at {1.it}.|{h.n} almost bumped into {1.a}, but stopped just in time.]".Replace("Near the door", outdoor ? "Near the path" : "Near the door", StringComparison.Ordinal));
                t.Lie('1', place);
                break;
            case 4:
                t.Some('1', NounKind.Paper, NounKind.Treasure, NounKind.Nature);
                t.Own('h', '1');
                t.Tell("[In {h.his} pocket, {h.n} had {1.a} for good luck.|{h.n} always carried {1.a} for good luck, and that day too.]");
                break;
            case 5:
                t.Weather("rain");
                t.Tell("[It had rained in the night, so the ground was muddy. {h.n} slipped and got dirty, but {h.he} only laughed.|It had rained in the night, and there were puddles everywhere. {h.n} jumped over [the first one|a big one] and landed in the next. Splash!|The grass was still wet from the rain, so {h.n} got wet feet.]");
                break;
            case 6:
                t.Weather("sun");
                t.Tell("[The sun was hot, so {h.n} rested in the shade for a moment.|It was so warm that {h.n} took a long drink of water.|The sun was shining, and the sky was as blue as the sea.]");
                break;
            case 7:
                t.Weather("wind");
                t.Tell("[A soft wind blew, and leaves danced in the air.|The wind played with {h.n}'s hair, and it smelled of flowers.|A cool wind blew, so {h.n} walked a little faster.]".Replace("hair", t['h'].Animal ? "ears" : "hair", StringComparison.Ordinal));
                break;
            default:
                Beats.See(t, '1', t.Random.Pick(["On the way", "There", "Not far from there", "Along the way", "Near the path", "A little later"]));
                break;
        }
    }
}
