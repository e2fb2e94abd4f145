using Slm.Engine.Constraints.Automata;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>A JSON value is about to begin.</summary>
internal sealed class ValueFrame(JsonWriter json, ValueNode node, int gapMin, int gapMax, int gap, Continuation? below) : Frame(below)
{
    private static readonly ByteSet Starts = ByteSet.Of(" \n\r\t{[\"nft-0123456789"u8);
    private static readonly byte[] Null = "null"u8.ToArray(), False = "false"u8.ToArray(), True = "true"u8.ToArray();

    public override int GapLeft => json.IsFlexible ? gapMax - gap : -1;

    public override ByteSet First => Starts;

    public override int TopHash => HashCode.Combine(node.Id, gap, gapMax, 3);

    public override void Step(byte b, Steps steps)
    {
        if (gap < gapMax && json.Form.IsSpace(b))
        {
            steps.Add(new ValueFrame(json, node, gapMin, gapMax, gap + 1, Below));
            return;
        }

        if (gap < gapMin)
            return;
        var plan = json.Plan(node);
        switch (b)
        {
            case (byte)'{':
                foreach (var shape in plan.Objects)
                    steps.Add(new ObjectFrame(json, shape, shape.Start, ObjectPhase.Open, 0, Below));
                break;
            case (byte)'[':
                foreach (var shape in plan.Arrays)
                    steps.Add(new ArrayFrame(json, shape, shape.Start, isOpen: true, 0, Below));
                break;
            case (byte)'"':
                if (plan.Strings is { } strings)
                    steps.Add(new StringFrame(json, strings, strings.Start, Below));
                break;
            case (byte)'n' when plan.Set.Null:
                steps.Add(new LiteralFrame(Null, 1, Below));
                break;
            case (byte)'f' when plan.Set.False:
                steps.Add(new LiteralFrame(False, 1, Below));
                break;
            case (byte)'t' when plan.Set.True:
                steps.Add(new LiteralFrame(True, 1, Below));
                break;
            default:
                if (plan.Numbers is { } numbers && numbers.Step(numbers.Start, b) is var next and not ByteDfa.Dead)
                    steps.Add(new LanguageFrame(numbers, next, Below));
                break;
        }
    }

    public override Frame Above(Continuation? below) => new ValueFrame(json, node, gapMin, gapMax, gap, below);

    public override bool SameTop(Frame other) => other is ValueFrame value && value.IsAt(node, gap, gapMax);

    private bool IsAt(ValueNode other, int position, int limit) => ReferenceEquals(node, other) && gap == position && gapMax == limit;
}

/// <summary>Inside a string.</summary>
internal sealed class StringFrame(JsonWriter json, ByteDfa dfa, int state, Continuation? below) : TextFrame(dfa, state, below)
{
    public override int TopHash => HashCode.Combine(Dfa, State, 4);

    public override void Step(byte b, Steps steps)
    {
        var next = Dfa.Step(State, b);
        if (next == State)
            steps.Add(this);
        else if (next != ByteDfa.Dead)
            steps.Add(json.InString(Dfa, next, Below));
        else if (b == '"')
            Close(State, steps);
    }

    public override void Close(int state, Steps steps)
    {
        if (Dfa.Accepts(state))
            steps.Complete(Below);
    }

    public override Frame Above(Continuation? below) => new StringFrame(json, Dfa, State, below);

    public override bool SameTop(Frame other) => other is StringFrame text && ReferenceEquals(Dfa, text.Dfa) && State == text.State;
}

/// <summary>Between a key and its value.</summary>
internal sealed class ColonFrame(JsonWriter json, ValueNode value, int gap, Continuation? below) : Frame(below)
{
    private static readonly ByteSet Starts = ByteSet.Of(" \n\r\t:"u8);

    public override int GapLeft => json.IsFlexible ? json.Form.Gap - gap : -1;

    public override ByteSet First => Starts;

    public override int TopHash => HashCode.Combine(value.Id, gap, 5);

    public override void Step(byte b, Steps steps)
    {
        if (b == ':')
            steps.Add(json.Value(value, Below));
        else if (gap < json.Form.Gap && json.Form.IsSpace(b))
            steps.Add(new ColonFrame(json, value, gap + 1, Below));
    }

    public override Frame Above(Continuation? below) => new ColonFrame(json, value, gap, below);

    public override bool SameTop(Frame other) => other is ColonFrame colon && colon.IsAt(value, gap);

    private bool IsAt(ValueNode other, int position) => ReferenceEquals(value, other) && gap == position;
}

/// <summary>Where an object is, between properties.</summary>
internal enum ObjectPhase
{
    /// <summary>Behind the brace.</summary>
    Open,

    /// <summary>Behind a value.</summary>
    AfterValue,

    /// <summary>Behind a comma.</summary>
    AfterComma,
}

/// <summary>Inside an object, between properties.</summary>
internal sealed class ObjectFrame(JsonWriter json, ObjectPlan plan, ObjectProgress progress, ObjectPhase phase, int gap, Continuation? below) : Frame(below)
{
    private static readonly ByteSet Starts = ByteSet.Of(" \n\r\t\"},"u8);

    public override int GapLeft => json.IsFlexible ? json.Form.Gap - gap : -1;

    public override ByteSet First => Starts;

    public override int TopHash => HashCode.Combine(progress, (int)phase, gap, 6);

    public override void Step(byte b, Steps steps)
    {
        switch (b)
        {
            case (byte)'}' when phase != ObjectPhase.AfterComma && progress.CanClose:
                steps.Complete(Below);
                break;
            case (byte)',' when phase == ObjectPhase.AfterValue && progress.CanGoOn:
                steps.Add(new ObjectFrame(json, plan, progress, ObjectPhase.AfterComma, 0, Below));
                break;
            case (byte)'"' when phase != ObjectPhase.AfterValue && gap >= (phase == ObjectPhase.AfterComma ? json.Form.GapAfterSeparator.Min : 0):
                BeginKey(steps);
                break;
            default:
                if (gap < (phase == ObjectPhase.AfterComma ? json.Form.GapAfterSeparator.Max : json.Form.Gap) && json.Form.IsSpace(b))
                    steps.Add(new ObjectFrame(json, plan, progress, phase, gap + 1, Below));
                break;
        }
    }

    public override Frame Above(Continuation? below) => new ObjectFrame(json, plan, progress, phase, gap, below);

    public override bool SameTop(Frame other) => other is ObjectFrame o && o.IsAt(progress, phase, gap);

    private void BeginKey(Steps steps)
    {
        if (plan.NameKeys is { } names && progress.Allowed.Any(a => a != 0))
            steps.Add(new NamedKeyFrame(json, plan, progress, names.Start, Below));
        if (!progress.OthersAllowed)
            return;
        for (var i = 0; i < plan.Others.Length; i++)
        {
            var keys = plan.Keys(i, progress);
            if (keys.Start != ByteDfa.Dead)
                steps.Add(new OtherKeyFrame(json, plan, progress, i, keys, keys.Start, progress.UsedKeys?.Start ?? ByteDfa.Dead, Below));
        }
    }

    private bool IsAt(ObjectProgress other, ObjectPhase otherPhase, int position) => ReferenceEquals(progress, other) && phase == otherPhase && gap == position;
}

/// <summary>Inside a key that the schema names.</summary>
internal sealed class NamedKeyFrame(JsonWriter json, ObjectPlan plan, ObjectProgress progress, int state, Continuation? below) : TextFrame(plan.NameKeys!, state, below)
{
    public override bool IsWide => false;

    public override int TopHash => HashCode.Combine(progress, State, 7);

    public override int Follow(int state, byte b)
    {
        var after = Dfa.Step(state, b);
        return after != ByteDfa.Dead && plan.CanReach(after, progress.Allowed) ? after : ByteDfa.Dead;
    }

    public override void Step(byte b, Steps steps)
    {
        var after = Follow(State, b);
        if (after != ByteDfa.Dead)
            steps.Add(new NamedKeyFrame(json, plan, progress, after, Below));
        else if (b == '"')
            Close(State, steps);
    }

    public override void Close(int state, Steps steps)
    {
        var name = plan.NameAt(state);
        if (name < 0 || (progress.Allowed[name >> 6] >> (name & 63) & 1) == 0)
            return;
        foreach (var (value, next) in progress.Write(name))
            steps.Add(json.Colon(value, plan, next, Below, steps.Automaton));
    }

    public override Frame Above(Continuation? below) => new NamedKeyFrame(json, plan, progress, State, below);

    public override bool SameTop(Frame other) => other is NamedKeyFrame key && key.IsAt(progress, State);

    private bool IsAt(ObjectProgress other, int position) => ReferenceEquals(progress, other) && State == position;
}

/// <summary>Inside a key that the schema does not name.</summary>
internal sealed class OtherKeyFrame(JsonWriter json, ObjectPlan plan, ObjectProgress progress, int other, ByteDfa dfa, int state, int used, Continuation? below) : TextFrame(dfa, state, below)
{
    public override int TopHash => HashCode.Combine(progress, other, Dfa, State, used, 8);

    public override int Walk => progress.UsedKeys is { } keys ? keys.Pair(State, used) : State;

    public override int Follow(int state, byte b) => progress.UsedKeys is { } keys ? keys.Step(Dfa, state, b) : Dfa.Step(state, b);

    public override bool MayClose(int state) => progress.UsedKeys is { } keys ? keys.MayClose(Dfa, state) : Dfa.Accepts(state);

    public override void Step(byte b, Steps steps)
    {
        var after = Dfa.Step(State, b);
        if (after != ByteDfa.Dead)
        {
            var (simple, at) = json.Compiler.Languages.Simplify(Dfa, after);
            var still = progress.UsedKeys is { } keys ? keys.Follow(used, b) : used;
            steps.Add(at == State && still == used && ReferenceEquals(simple, Dfa) ? this : new OtherKeyFrame(json, plan, progress, other, simple, at, still, Below));
        }
        else if (b == '"')
        {
            Close(Walk, steps);
        }
    }

    public override void Close(int state, Steps steps)
    {
        if (!MayClose(state))
            return;
        foreach (var (value, next) in progress.Write(plan.Others[other], steps.Trail?.OpenString()))
            steps.Add(json.Colon(value, plan, next, Below, steps.Automaton));
    }

    public override Frame Above(Continuation? below) => new OtherKeyFrame(json, plan, progress, other, Dfa, State, used, below);

    public override bool SameTop(Frame frame) => frame is OtherKeyFrame key && key.IsAt(progress, other, Dfa, State, used);

    private bool IsAt(ObjectProgress otherProgress, int @class, ByteDfa automaton, int position, int usedPosition) =>
        ReferenceEquals(progress, otherProgress) && other == @class && ReferenceEquals(Dfa, automaton) && State == position && used == usedPosition;
}

/// <summary>Inside an array, between items; an open one has none yet.</summary>
internal sealed class ArrayFrame(JsonWriter json, ArrayPlan plan, ArrayProgress progress, bool isOpen, int gap, Continuation? below) : Frame(below)
{
    private static readonly ByteSet Starts = ByteSet.Of(" \n\r\t],"u8), Opens = ByteSet.Of(" \n\r\t]{[\"nft-0123456789"u8);

    public override int GapLeft => json.IsFlexible ? json.Form.Gap - gap : -1;

    public override ByteSet First => isOpen ? Opens : Starts;

    public override int TopHash => HashCode.Combine(progress, isOpen, gap, 9);

    public override void Step(byte b, Steps steps)
    {
        if (b == ']')
        {
            if (progress.CanClose)
                steps.Complete(Below);
            return;
        }

        if (gap < json.Form.Gap && json.Form.IsSpace(b))
        {
            steps.Add(new ArrayFrame(json, plan, progress, isOpen, gap + 1, Below));
            return;
        }

        if (isOpen)
        {
            foreach (var (value, next) in progress.Add())
                new ValueFrame(json, value, 0, 0, 0, json.After(plan, next, Below, steps.Automaton)).Step(b, steps);
        }
        else if (b == ',')
        {
            var before = plan.Shape.Unique is not null && steps.Trail is { } trail ? progress.See(json.Compiler.Nodes.Constant(trail.LastItem())) : progress;
            foreach (var (value, next) in before.Add())
                steps.Add(json.Value(value, json.After(plan, next, Below, steps.Automaton)));
        }
    }

    public override Frame Above(Continuation? below) => new ArrayFrame(json, plan, progress, isOpen, gap, below);

    public override bool SameTop(Frame other) => other is ArrayFrame array && array.IsAt(progress, isOpen, gap);

    private bool IsAt(ArrayProgress other, bool open, int position) => ReferenceEquals(progress, other) && isOpen == open && gap == position;
}
