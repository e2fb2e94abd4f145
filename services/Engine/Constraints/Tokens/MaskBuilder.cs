using Slm.Engine.Constraints.Automata;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Tokens;

/// <summary>
/// Finds which tokens may come at a place: those all of whose bytes the automaton goes along with. What it finds is kept with the place.
/// Used under the automaton's lock.
/// </summary>
/// <remarks>
/// Trying every token would be a walk over the whole vocabulary. Three things make it short. Where few bytes may come, the walk leaves out
/// all tokens that begin otherwise. Inside of strings, where nearly everything may come, what stays inside depends only on the
/// string's language: that part is kept per state of the language, and where any characters may come it was prepared with the vocabulary;
/// what remains are tokens with a quote. And white space before a token matters only by its length.
/// </remarks>
internal sealed class MaskBuilder
{
    private const int MaxBytes = 8 << 20;
    private readonly Automaton _automaton;
    private readonly TokenVocabulary _vocabulary;
    private readonly Dictionary<(ByteDfa, int), ulong[]> _content = [];
    private readonly Stack<ulong[]> _scratch = [];
    private readonly Stack<Dictionary<int, Position>> _closings = [];
    private readonly Steps _steps;
    private Position[] _positions = new Position[1024];
    private int[] _states = new int[1024];
    private int _positionsTop, _statesTop;
    private long _bytes;

    public MaskBuilder(Automaton automaton, TokenVocabulary vocabulary)
    {
        (_automaton, _vocabulary) = (automaton, vocabulary);
        _steps = new Steps(automaton);
    }

    /// <summary>Sets the bits of the tokens that may come, end tokens excepted, and clears all others.</summary>
    public void Find(Position position, Span<ulong> mask)
    {
        if (_bytes > MaxBytes)
        {
            _bytes = 0;
            _content.Clear();
            _automaton.Forget();
        }

        MaskOf(position).CopyTo(mask);
    }

    private TokenSet MaskOf(Position position)
    {
        if (position.Mask is TokenSet known)
            return known;
        if (!_scratch.TryPop(out var mask))
            mask = _vocabulary.NewMask();
        else
            Array.Clear(mask);
        Build(position, mask);
        var set = TokenSet.Of(mask);
        _scratch.Push(mask);
        _bytes += set.Bytes + 512;
        position.Mask = set;
        return set;
    }

    private void Build(Position position, ulong[] mask)
    {
        if (position.Frames.Length > 1)
        {
            foreach (var frame in position.Frames)
                MaskOf(_automaton.PositionOf([frame])).AddTo(mask);
        }
        else if (position.Frames is [TextFrame { IsQuoted: true, IsWide: true } text])
        {
            Or(mask, Content(text.Dfa, text.State));
            WalkText(_vocabulary.Quoted, 0, _vocabulary.Quoted.Count, text, mask);
        }
        else if (position.Frames is [TextFrame language])
        {
            if (language is { IsQuoted: false, Below: null })
                Or(mask, Content(language.Dfa, language.State));
            else
                WalkText(_vocabulary.Whole, 0, _vocabulary.Whole.Count, language, mask);
            if (language.CanEnd && language.Below is { } below)
                MaskOf(_automaton.PositionOf(below.Frames)).AddTo(mask);
        }
        else if (position.Frames is [{ GapLeft: >= 0 } frame])
        {
            WalkAfterSpaces(position, frame.GapLeft, mask);
        }
        else if (!position.IsDead)
        {
            Walk(_vocabulary.Whole, 0, _vocabulary.Whole.Count, position, mask, -1);
        }
    }

    private static void Or(ulong[] mask, ulong[] other) => System.Numerics.Tensors.TensorPrimitives.BitwiseOr<ulong>(mask, other, mask);

    /// <summary>Tokens that stay within a language, whatever is around it.</summary>
    private ulong[] Content(ByteDfa dfa, int state)
    {
        if (dfa.IsFrozen)
            return _vocabulary.Shared.GetOrAdd((dfa, state), key => FindContent(key.Dfa, key.State));
        if (!_content.TryGetValue((dfa, state), out var known))
        {
            _content[(dfa, state)] = known = FindContent(dfa, state);
            _bytes += known.Length * sizeof(ulong);
        }

        return known;
    }

    private ulong[] FindContent(ByteDfa dfa, int state)
    {
        ulong[] mask;
        if (dfa.Encoding != TextEncoding.Utf8 && dfa.FreeLength(state) is { } free)
        {
            if (free < 0)
                return _vocabulary.InString(dfa.Encoding);
            mask = _vocabulary.Plain(free);
            if (free >= _vocabulary.LongestOdd)
                Or(mask, _vocabulary.OddInString(dfa.Encoding));
            else
                WalkContent(_vocabulary.Odd, dfa, state, mask);
        }
        else
        {
            mask = _vocabulary.NewMask();
            WalkContent(_vocabulary.Whole, dfa, state, mask);
        }

        return mask;
    }

    private void WalkContent(TokenTrie trie, ByteDfa dfa, int state, ulong[] mask)
    {
        var bytes = trie.Bytes;
        var depths = trie.Depths;
        var skips = trie.Skips;
        var tokens = trie.Tokens;
        var states = new int[trie.Depth + 1];
        states[0] = state;
        for (var i = 0; i < bytes.Length;)
        {
            var depth = depths[i];
            var next = dfa.Step(states[depth], bytes[i]);
            if (next == ByteDfa.Dead)
            {
                i = skips[i];
                continue;
            }

            states[depth + 1] = next;
            Take(tokens[i], mask);
            i++;
        }
    }

    /// <summary>Tokens that begin within a text, whether they end in it or go on behind it.</summary>
    private void WalkText(TokenTrie trie, int from, int to, TextFrame text, ulong[] mask)
    {
        if (from == to)
            return;
        var bytes = trie.Bytes;
        var depths = trie.Depths;
        var skips = trie.Skips;
        var tokens = trie.Tokens;
        var first = depths[from];
        var ground = _statesTop;
        _statesTop += trie.Depth + 1;
        if (_statesTop > _states.Length)
            Array.Resize(ref _states, 2 * _statesTop);
        var states = _states.AsSpan(ground, trie.Depth + 1);
        states[0] = text.Walk;
        if (!_closings.TryPop(out var closed))
            closed = [];
        for (var i = from; i < to;)
        {
            var depth = depths[i] - first;
            var (state, b) = (states[depth], bytes[i]);
            if (text.IsQuoted && b == '"' && text.MayClose(state))
            {
                if (!closed.TryGetValue(state, out var behind))
                {
                    text.Close(state, _steps.Begin(null));
                    closed[state] = behind = _automaton.PositionOf(_steps.ToFrames());
                }

                if (!behind.IsDead)
                {
                    Take(tokens[i], mask);
                    Walk(trie, i + 1, skips[i], behind, mask, -1);
                    states = _states.AsSpan(ground, trie.Depth + 1);
                }

                i = skips[i];
                continue;
            }

            var next = text.Follow(state, b);

            // What ends by itself may end before any byte; before the first one that is the business of the caller.
            if (!text.IsQuoted && depth > 0 && text.Below is { } below && text.Dfa.Accepts(state) && _automaton.PositionOf(below.Frames).Next(b) is { IsDead: false } after)
            {
                Take(tokens[i], mask);
                Walk(trie, i + 1, skips[i], after, mask, -1);
                states = _states.AsSpan(ground, trie.Depth + 1);
            }

            if (next == ByteDfa.Dead)
            {
                i = skips[i];
                continue;
            }

            states[depth + 1] = next;
            Take(tokens[i], mask);
            i++;
        }

        closed.Clear();
        _closings.Push(closed);
        _statesTop = ground;
    }

    /// <summary>Tokens from a place where white space may come.</summary>
    private void WalkAfterSpaces(Position position, int gap, ulong[] mask)
    {
        Walk(_vocabulary.Whole, 0, _vocabulary.Whole.Count, position, mask, -1, withoutSpaces: true);
        if (gap == 0)
            return;
        foreach (var token in _vocabulary.Blank)
        {
            if (_vocabulary.Spaces[token] <= gap)
                TokenVocabulary.Set(mask, token);
        }

        Walk(_vocabulary.AfterSpaces, 0, _vocabulary.AfterSpaces.Count, position, mask, gap, withoutSpaces: true);
    }

    /// <param name="trie">Tokens.</param>
    /// <param name="from">First node.</param>
    /// <param name="to">End of the nodes.</param>
    /// <param name="start">Place before the first node's byte.</param>
    /// <param name="mask">Gets the tokens.</param>
    /// <param name="gap">For <see cref="TokenVocabulary.AfterSpaces"/>: white space that tokens may begin with; else -1.</param>
    /// <param name="withoutSpaces">Leave out what begins with white space.</param>
    private void Walk(TokenTrie trie, int from, int to, Position start, ulong[] mask, int gap, bool withoutSpaces = false)
    {
        if (from == to)
            return;
        var bytes = trie.Bytes;
        var depths = trie.Depths;
        var skips = trie.Skips;
        var tokens = trie.Tokens;
        var first = depths[from];
        var ground = _positionsTop;
        _positionsTop += trie.Depth + 1;
        if (_positionsTop > _positions.Length)
            Array.Resize(ref _positions, 2 * _positionsTop);
        _positions[ground] = start;
        for (var i = from; i < to;)
        {
            var (depth, b) = (depths[i] - first, bytes[i]);
            if (withoutSpaces && depth == 0 && b is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
            {
                i = skips[i];
                continue;
            }

            var next = _positions[ground + depth].Next(b);
            if (next.IsDead)
            {
                i = skips[i];
                continue;
            }

            if (tokens[i] >= 0)
            {
                if (gap < 0)
                    Take(tokens[i], mask);
                else
                    TakeAfterSpaces(tokens[i], gap, mask);
            }

            // Inside of texts no places need to be made.
            if (gap < 0 && IsText(next))
            {
                foreach (var frame in next.Frames)
                    WalkText(trie, i + 1, skips[i], (TextFrame)frame, mask);
                i = skips[i];
                continue;
            }

            _positions[ground + depth + 1] = next;
            i++;
        }

        _positionsTop = ground;
    }

    private static bool IsText(Position position)
    {
        foreach (var frame in position.Frames)
        {
            if (frame is not TextFrame { IsQuoted: true })
                return false;
        }

        return true;
    }

    private void Take(int token, ulong[] mask)
    {
        for (; token >= 0; token = _vocabulary.NextSame[token])
            TokenVocabulary.Set(mask, token);
    }

    private void TakeAfterSpaces(int token, int gap, ulong[] mask)
    {
        for (; token >= 0; token = _vocabulary.NextSameRest[token])
        {
            if (_vocabulary.Spaces[token] <= gap)
                TokenVocabulary.Set(mask, token);
        }
    }
}
