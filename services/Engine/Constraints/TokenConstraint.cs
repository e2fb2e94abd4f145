using Slm.Engine.Constraints.Automata;
using Slm.Engine.Constraints.Tokens;

namespace Slm.Engine.Constraints;

/// <summary>A constraint over the tokens of a model. Thread-safe; any number of texts can be held to it at a time.</summary>
public sealed class TokenConstraint
{
    private readonly MaskBuilder _masks;

    /// <param name="constraint">Not used with another vocabulary.</param>
    /// <param name="vocabulary">The model's tokens.</param>
    public TokenConstraint(CompiledConstraint constraint, TokenVocabulary vocabulary)
    {
        ArgumentNullException.ThrowIfNull(constraint);
        ArgumentNullException.ThrowIfNull(vocabulary);
        Automaton = constraint.Automaton;
        Vocabulary = vocabulary;
        _masks = new MaskBuilder(Automaton, vocabulary);
    }

    /// <summary>The model's tokens.</summary>
    public TokenVocabulary Vocabulary { get; }

    internal Automaton Automaton { get; }

    /// <summary>The beginning of a text.</summary>
    public ConstraintState Start() => new(this, Automaton.Start, new Trail(Automaton.NeedsTrail));

    internal void FindMask(Position position, Span<ulong> mask) => _masks.Find(position, mask);
}

/// <summary>How far a text has come. Not thread-safe, but states of one constraint may be used at the same time.</summary>
public sealed class ConstraintState
{
    private const int MaxForced = 256;
    private readonly TokenConstraint _constraint;
    private readonly Trail _trail;
    private Position _position;

    internal ConstraintState(TokenConstraint constraint, Position position, Trail trail) => (_constraint, _position, _trail) = (constraint, position, trail);

    /// <summary>Whether the text may end here.</summary>
    public bool CanEnd => _position.IsEnd;

    /// <summary>Whether the text has ended, or can only end.</summary>
    public bool IsComplete => HasEnded || _position.IsFinal;

    /// <summary>Whether an end token has been accepted.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Words of a mask.</summary>
    public int MaskLength => _constraint.Vocabulary.MaskLength;

    /// <summary>A copy that goes its own way.</summary>
    public ConstraintState Fork() => new(_constraint, _position, _trail.Copy()) { HasEnded = HasEnded };

    /// <summary>Sets the bits of the tokens that may come next, and clears all others.</summary>
    /// <param name="mask">Gets <see cref="MaskLength"/> words; bit i of word w is token 64·w + i.</param>
    public void FillMask(Span<ulong> mask)
    {
        if (HasEnded)
        {
            mask.Clear();
        }
        else
        {
            lock (_constraint.Automaton.Lock)
            {
                _constraint.FindMask(_position, mask);
                if (_constraint.Automaton.HasUnique)
                    TryInFull(mask);
            }
        }

        if (HasEnded || CanEnd)
        {
            foreach (var end in _constraint.Vocabulary.EndTokens)
                mask[end >> 6] |= 1UL << (end & 63);
        }
    }

    /// <summary>Goes on by a token; false, and nothing changes, if it may not come here.</summary>
    public bool Accept(int token)
    {
        if (_constraint.Vocabulary.EndTokens.Contains(token))
        {
            if (!CanEnd)
                return false;
            HasEnded = true;
            return true;
        }

        var text = _constraint.Vocabulary.Text(token);
        return text.Length > 0 && !HasEnded && Accept(text);
    }

    /// <summary>Goes on by bytes; false, and nothing changes, if they may not come here.</summary>
    public bool Accept(ReadOnlySpan<byte> text)
    {
        lock (_constraint.Automaton.Lock)
        {
            var length = _trail.Length;
            var next = Follow(text);
            if (next.IsDead)
            {
                _trail.Truncate(length);
                return false;
            }

            _position = next;
            return true;
        }
    }

    /// <summary>The bytes that must come next, whatever the text: those of which there is no choice.</summary>
    public byte[] Forced() => Forced(guess: false);

    /// <param name="guess">Leave out of account what is hardly ever written: escapes of plain characters, and white space where something else may come.</param>
    private byte[] Forced(bool guess)
    {
        var forced = new List<byte>();
        lock (_constraint.Automaton.Lock)
        {
            for (var position = _position; forced.Count < MaxForced && !position.IsEnd;)
            {
                Position? only = null;
                var count = 0;
                byte which = 0;
                for (var b = 0; b < 256 && count < 2; b++)
                {
                    var next = position.Next((byte)b);
                    if (next.IsDead || (guess && b is '\\' or '\n' or '\r' or '\t') || (guess && b == ' ' && only is null && HasOther(position)))
                        continue;
                    (only, which) = (next, (byte)b);
                    count++;
                }

                if (count != 1)
                    break;
                forced.Add(which);
                position = only!;
            }
        }

        return [.. forced];
    }

    /// <summary>
    /// Tokens of the text that nearly must come next, each the longest that fits. A model may cut the text elsewhere, or write white space or an
    /// escape: they are a guess to be checked.
    /// </summary>
    /// <param name="room">Gets the tokens.</param>
    /// <returns>How many.</returns>
    public int ForcedTokens(Span<int> room)
    {
        if (HasEnded)
            return 0;
        ReadOnlySpan<byte> text = Forced(guess: true);
        var count = 0;
        while (count < room.Length && _constraint.Vocabulary.Longest(text) is var token and >= 0)
        {
            var length = _constraint.Vocabulary.Text(token).Length;

            // What reaches the end might have been part of a longer token.
            if (length == text.Length)
                break;
            room[count++] = token;
            text = text[length..];
        }

        return count;
    }

    private static bool HasOther(Position position)
    {
        for (var b = '!'; b <= '~'; b++)
        {
            if (!position.Next((byte)b).IsDead)
                return true;
        }

        return false;
    }

    private Position Follow(ReadOnlySpan<byte> text)
    {
        var position = _position;
        foreach (var b in text)
        {
            position = position.Next(b, _trail);
            if (position.IsDead)
                break;
            _trail.Add(b);
        }

        return position;
    }

    /// <summary>A token with a comma and more behind it may hold an item that is there already.</summary>
    private void TryInFull(Span<ulong> mask)
    {
        foreach (var token in _constraint.Vocabulary.WithItems)
        {
            if ((mask[token >> 6] >> (token & 63) & 1) == 0)
                continue;
            var length = _trail.Length;
            if (Follow(_constraint.Vocabulary.Text(token)).IsDead)
                mask[token >> 6] &= ~(1UL << (token & 63));
            _trail.Truncate(length);
        }
    }
}
