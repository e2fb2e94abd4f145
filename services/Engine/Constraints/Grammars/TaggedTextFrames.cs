using System.Text;
using Slm.Engine.Constraints.Automata;
using Slm.Engine.Constraints.Json;

namespace Slm.Engine.Constraints.Grammars;

/// <summary>Finds the beginnings of tags in a text (Aho and Corasick 1975).</summary>
internal sealed class TagFinder
{
    private readonly List<int[]> _next = [];
    private readonly List<int> _found = [];

    public TagFinder(IReadOnlyList<byte[]> begins)
    {
        NewState();
        for (var i = 0; i < begins.Count; i++)
        {
            var at = 0;
            foreach (var b in begins[i])
            {
                if (_next[at][b] < 0)
                    _next[at][b] = NewState();
                at = _next[at][b];
            }

            if (_found[at] < 0)
                _found[at] = i;
        }

        var fallback = new int[_next.Count];
        var queue = new Queue<int>();
        for (var b = 0; b < 256; b++)
        {
            if (_next[0][b] < 0)
                _next[0][b] = 0;
            else
                queue.Enqueue(_next[0][b]);
        }

        while (queue.TryDequeue(out var state))
        {
            if (_found[state] < 0)
                _found[state] = _found[fallback[state]];
            for (var b = 0; b < 256; b++)
            {
                var next = _next[state][b];
                if (next < 0)
                {
                    _next[state][b] = _next[fallback[state]][b];
                    continue;
                }

                fallback[next] = _next[fallback[state]][b];
                queue.Enqueue(next);
            }
        }
    }

    /// <summary>The next state.</summary>
    public int Step(int state, byte b) => _next[state][b];

    /// <summary>The tag whose beginning ends at a state; -1 if none does.</summary>
    public int Found(int state) => _found[state];

    private int NewState()
    {
        var row = new int[256];
        Array.Fill(row, -1);
        _next.Add(row);
        _found.Add(-1);
        return _next.Count - 1;
    }
}

/// <summary>Free text before, between and behind tags.</summary>
internal sealed class FreeTextFrame(TaggedTextFrames tags, int state, int count) : Frame(null)
{
    public override bool CanEnd => true;

    public override int TopHash => HashCode.Combine(state, count, 10);

    public override void Step(byte b, Steps steps)
    {
        var next = tags.Finder.Step(state, b);
        var found = tags.Finder.Found(next);
        if (found < 0)
            steps.Add(next == state ? this : new FreeTextFrame(tags, next, count));
        else if (tags.MayHave(count))
            tags.Trigger(found, count, steps);
    }

    public override Frame Above(Continuation? below) => this;

    public override bool SameTop(Frame other) => other is FreeTextFrame text && text.IsAt(state, count);

    private bool IsAt(int otherState, int otherCount) => state == otherState && count == otherCount;
}

/// <summary>Where nothing but a tag may come, or the end behind the first.</summary>
internal sealed class TagsOnlyFrame(TaggedTextFrames tags, int count) : Frame(null)
{
    public override bool CanEnd => count > 0;

    public override int TopHash => HashCode.Combine(count, 11);

    public override void Step(byte b, Steps steps)
    {
        if (!tags.MayHave(count))
            return;
        for (var i = 0; i < tags.Begins.Count; i++)
        {
            var begin = count == 0 ? tags.Begins[i] : tags.Separated[i];
            if (begin[0] != b)
                continue;
            var inside = tags.Inside(i, count, steps.Automaton);
            steps.Add(begin.Length == 1 ? inside : new LiteralFrame(begin, 1, steps.Automaton.Then(inside)));
        }
    }

    public override Frame Above(Continuation? below) => this;

    public override bool SameTop(Frame other) => other is TagsOnlyFrame only && only.IsAt(count);

    private bool IsAt(int other) => count == other;
}

/// <summary>Makes the frames of free text with tags in it.</summary>
internal sealed class TaggedTextFrames
{
    private readonly List<(byte[] Begin, ValueNode Value, JsonWriter Json, byte[] End)> _parts;
    private readonly ConstraintSource.TaggedText _source;
    private readonly byte[][] _triggers;

    private TaggedTextFrames(List<(byte[] Begin, ValueNode Value, JsonWriter Json, byte[] End)> parts, ConstraintSource.TaggedText source)
    {
        (_parts, _source) = (parts, source);
        Begins = [.. parts.Select(p => p.Begin)];
        Separated = [.. parts.Select(p => (byte[])[.. Encoding.UTF8.GetBytes(source.Separator), .. p.Begin])];
        _triggers = source.Triggers.Count == 0 ? [.. Begins] : [.. source.Triggers.Select(Encoding.UTF8.GetBytes)];
        Finder = new TagFinder(_triggers);
    }

    /// <summary>The beginnings of the tags.</summary>
    public IReadOnlyList<byte[]> Begins { get; }

    /// <summary>The same behind a separator.</summary>
    public IReadOnlyList<byte[]> Separated { get; }

    /// <summary>Finds what tags begin with.</summary>
    public TagFinder Finder { get; }

    /// <summary>Sets where an automaton begins.</summary>
    /// <exception cref="ConstraintException">The tags cannot be told apart, or there are none.</exception>
    public static void Begin(Automaton automaton, List<(byte[] Begin, ValueNode Value, JsonWriter Json, byte[] End)> parts, ConstraintSource.TaggedText source)
    {
        if (parts.Count == 0)
            throw new ConstraintException("", "tags", "There are no tags.");
        if (source.MaxTags < 0)
            throw new ConstraintException("", "max_tags", $"max_tags is {source.MaxTags}; it must be at least 0 (0: any number).");
        var frames = new TaggedTextFrames(parts, source);
        if (!source.Required)
            frames.CheckTriggers();
        automaton.Begin(source.Required ? new TagsOnlyFrame(frames, 0) : new FreeTextFrame(frames, 0, 0));
    }

    /// <summary>Reports what follows a trigger.</summary>
    public void Trigger(int trigger, int count, Steps steps)
    {
        var length = _triggers[trigger].Length;
        for (var i = 0; i < _parts.Count; i++)
        {
            var begin = _parts[i].Begin;
            if (!begin.AsSpan().StartsWith(_triggers[trigger]))
                continue;
            var inside = Inside(i, count, steps.Automaton);
            steps.Add(begin.Length == length ? inside : new LiteralFrame(begin, length, steps.Automaton.Then(inside)));
        }
    }

    private void CheckTriggers()
    {
        for (var i = 0; i < _triggers.Length; i++)
        {
            var name = Encoding.UTF8.GetString(_triggers[i]);
            if (name.Length == 0)
                throw new ConstraintException($"/{i}", "triggers", "A trigger is empty.");
            if (!Begins.Any(b => b.AsSpan().StartsWith(_triggers[i])))
                throw new ConstraintException($"/{i}", "triggers", $"No tag begins with the trigger \"{name}\".");
            var inside = Array.FindIndex(_triggers, t => !t.AsSpan().SequenceEqual(_triggers[i]) && _triggers[i].AsSpan().IndexOf(t) >= 0);
            if (inside >= 0)
                throw new ConstraintException($"/{i}", _source.Triggers.Count == 0 ? "begin" : "triggers", $"\"{name}\" has \"{Encoding.UTF8.GetString(_triggers[inside])}\" in it, so that in free text it could not be told which begins. Give a trigger that is common to both.");
        }

        for (var i = 0; i < Begins.Count; i++)
        {
            if (!Array.Exists(_triggers, t => Begins[i].AsSpan().StartsWith(t)))
                throw new ConstraintException($"/{i}", "begin", $"The tag's beginning \"{_source.Tags[i].Begin}\" begins with none of the triggers.");
        }
    }

    /// <summary>Whether a further tag may come behind so many.</summary>
    public bool MayHave(int count) => _source.MaxTags == 0 || count < _source.MaxTags;

    /// <summary>Behind the beginning of a tag.</summary>
    public Frame Inside(int tag, int count, Automaton automaton)
    {
        var (_, value, json, end) = _parts[tag];

        // Beyond a limit, or without one, counting goes no further than it matters.
        var next = _source.MaxTags == 0 ? Math.Min(count + 1, 1) : count + 1;
        Frame behind = _source.Required ? new TagsOnlyFrame(this, next) : new FreeTextFrame(this, 0, next);
        var below = automaton.Then(behind);
        return json.Root(value, end.Length == 0 ? below : automaton.Then(new LiteralFrame(end, 0, below)));
    }
}
