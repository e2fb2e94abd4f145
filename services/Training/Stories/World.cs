namespace Slm.Training.Stories;

/// <summary>An event whose preconditions the world does not meet: a fault in a plot schema.</summary>
public sealed class PlotException(string message) : Exception(message);

/// <summary>
/// State of a small world: where everybody is, who or where has each thing, what is broken, moods, weather.
/// <see cref="Apply"/> checks an event's preconditions and makes its effects; telling and replaying use the same rules.
/// </summary>
public sealed class World
{
    private readonly Dictionary<string, string> _at = [];
    private readonly Dictionary<string, string> _holder = [];
    private readonly HashSet<string> _broken = [];
    private readonly Dictionary<string, string> _mood = [];
    private readonly Dictionary<(string, string), int> _quarrels = [];
    private readonly Dictionary<string, int> _lastTouch = [];
    private int _next;

    /// <summary>null: open; true: goal met; false: goal missed.</summary>
    public bool? GoalMet { get; private set; }

    /// <summary>What somebody wants, once a Want event has happened.</summary>
    public string? Goal { get; private set; }

    public string PlaceOf(string actor) => _at.GetValueOrDefault(actor, "");

    public string HolderOf(string thing) => _holder.GetValueOrDefault(thing, "");

    public string MoodOf(string actor) => _mood.GetValueOrDefault(actor, "calm");

    public bool IsBroken(string thing) => _broken.Contains(thing);

    /// <summary>Checks the event against the state and applies it.</summary>
    /// <exception cref="PlotException">A precondition does not hold.</exception>
    public PlotEvent Apply(EventKind kind, string actor, string? thing = null, string? target = null, string? detail = null)
    {
        if (GoalMet is not null && kind is (EventKind.Succeed or EventKind.Fail or EventKind.Want))
            throw Fault("the goal is already decided");
        if (kind != EventKind.Start && kind != EventKind.Lie && kind != EventKind.Weather && !_at.ContainsKey(actor))
            throw Fault($"{actor} is not in the story yet");
        string here = PlaceOf(actor);
        switch (kind)
        {
            case EventKind.Start:
                _at[actor] = target ?? throw Fault("needs a place");
                here = target;
                break;
            case EventKind.Own:
                Need(!_holder.ContainsKey(thing!), "the thing is already somewhere");
                _holder[thing!] = actor;
                break;
            case EventKind.Lie:
                Need(!_holder.ContainsKey(thing!), "the thing is already somewhere");
                _holder[thing!] = target!;
                here = target!;
                break;
            case EventKind.Go:
                Need(here != target, "already there");
                _at[actor] = target!;
                here = target!;
                break;
            case EventKind.Take:
                Need(HolderOf(thing!) == here, $"the thing is not here but at '{HolderOf(thing!)}'");
                _holder[thing!] = actor;
                break;
            case EventKind.Drop:
                NeedHas(actor, thing!);
                _holder[thing!] = here;
                break;
            case EventKind.Lose:
                NeedHas(actor, thing!);
                _holder[thing!] = target ?? here;
                break;
            case EventKind.Give:
                NeedHas(actor, thing!);
                NeedTogether(actor, target!);
                _holder[thing!] = target!;
                break;
            case EventKind.Steal:
                NeedHas(target!, thing!);
                NeedTogether(actor, target!);
                _holder[thing!] = actor;
                break;
            case EventKind.Make:
                Need(!_holder.ContainsKey(thing!), "the thing exists already");
                _holder[thing!] = actor;
                break;
            case EventKind.Break:
                NeedReach(actor, thing!);
                Need(!_broken.Contains(thing!), "already broken");
                _broken.Add(thing!);
                break;
            case EventKind.Fix:
                NeedReach(actor, thing!);
                Need(_broken.Contains(thing!), "not broken");
                _broken.Remove(thing!);
                break;
            case EventKind.Eat:
                NeedReach(actor, thing!);
                _holder[thing!] = "";
                break;
            case EventKind.Vanish:
                Need(HolderOf(thing!).Length > 0, "already gone");
                _holder[thing!] = "";
                break;
            case EventKind.Use:
                NeedReach(actor, thing!);
                Need(!_broken.Contains(thing!), "it is broken");
                break;
            case EventKind.Hide or EventKind.Notice when thing is not null:
                NeedReach(actor, thing);
                break;
            case EventKind.Feel:
                _mood[actor] = detail!;
                break;
            case EventKind.Speak or EventKind.Meet or EventKind.Help or EventKind.Act when target is not null:
                NeedTogether(actor, target);
                break;
            case EventKind.Quarrel:
                NeedTogether(actor, target!);
                _quarrels[Pair(actor, target!)] = _next;
                break;
            case EventKind.Apologize:
                NeedTogether(actor, target!);
                break;
            case EventKind.Forgive:
                NeedTogether(actor, target!);
                _quarrels.Remove(Pair(actor, target!));
                break;
            case EventKind.Want:
                Goal = detail;
                break;
            case EventKind.Succeed:
                Need(Goal is not null, "nobody wants anything");
                GoalMet = true;
                break;
            case EventKind.Fail:
                Need(Goal is not null, "nobody wants anything");
                Need(GoalMet is null, "the goal is already decided");
                GoalMet = false;
                break;
            default:
                break;
        }

        var causes = new List<int>(3);
        Touch(actor);
        if (thing is not null)
            Touch("thing:" + thing);
        if (target is not null && _at.ContainsKey(target))
            Touch(target);
        return new PlotEvent(_next++, kind, actor, thing, target, here, detail, causes);

        void Touch(string key)
        {
            if (_lastTouch.TryGetValue(key, out int last) && !causes.Contains(last))
                causes.Add(last);
            _lastTouch[key] = _next;
        }

        void Need(bool holds, string why)
        {
            if (!holds)
                throw Fault(why);
        }

        void NeedHas(string who, string what) => Need(HolderOf(what) == who, $"{who} does not have {what}, '{HolderOf(what)}' has it");

        void NeedTogether(string a, string b) => Need(PlaceOf(a) == PlaceOf(b), $"{a} is at '{PlaceOf(a)}' and {b} at '{PlaceOf(b)}'");

        void NeedReach(string who, string what)
        {
            string holder = HolderOf(what);
            Need(holder.Length > 0, $"{what} is gone");
            Need(holder == who || holder == here || (_at.TryGetValue(holder, out var place) && place == here), $"{what} is with '{holder}', out of {who}'s reach");
        }

        PlotException Fault(string why) => new($"{kind} by {actor}, thing {thing ?? "-"}, target {target ?? "-"}: {why}");
    }

    private static (string, string) Pair(string a, string b) => string.CompareOrdinal(a, b) < 0 ? (a, b) : (b, a);
}
