using System.Numerics;
using Slm.Engine.Constraints;
using Slm.Engine.Sampling;

namespace Slm.Engine.Scheduling;

/// <summary>Holds an answer to a constraint: which tokens may come next, from the tokens so far alone.</summary>
internal sealed class AnswerConstraint
{
    private readonly ConstraintState _state;
    private readonly GenerationRequest _request;
    private readonly ulong[] _allowed;
    private bool _ready;

    /// <param name="constraint">The constraint.</param>
    /// <param name="request">Whose answer; what it resumes is replayed.</param>
    /// <exception cref="SamplingOptionException">The resumed tokens are no beginning of a text of the constraint.</exception>
    public AnswerConstraint(TokenConstraint constraint, GenerationRequest request)
    {
        _request = request;
        _state = constraint.Start();
        _allowed = new ulong[_state.MaskLength];
        foreach (var token in request.Resume)
        {
            if (!_state.Accept(token))
                throw new SamplingOptionException("resume_token_ids", token, "tokens of an answer under the same constraint");
        }
    }

    /// <summary>Whether the text is complete, and nothing but an end token could follow.</summary>
    public bool IsComplete => _state.IsComplete;

    /// <summary>Bit i of word w: token 64·w + i may come next.</summary>
    /// <exception cref="ConstraintDeadEndException">None may.</exception>
    public ReadOnlySpan<ulong> Allowed
    {
        get
        {
            Prepare();
            return _allowed.AsSpan().ContainsAnyExcept(0UL) ? _allowed : throw new ConstraintDeadEndException();
        }
    }

    /// <summary>Finds the tokens that may come next, if that has not been done.</summary>
    public void Prepare()
    {
        if (_ready)
            return;
        _state.FillMask(_allowed);
        if (_request.Sampling.IgnoreEos)
        {
            foreach (var end in _request.EndTokens)
                _allowed[end >> 6] &= ~(1UL << (end & 63));
        }

        _ready = true;
    }

    /// <summary>Only one token may come next.</summary>
    public bool IsForced
    {
        get
        {
            Prepare();
            var count = 0;
            for (var i = 0; i < _allowed.Length && count < 2; i++)
                count += BitOperations.PopCount(_allowed[i]);
            return count == 1;
        }
    }

    /// <summary>Goes on by the token that was chosen.</summary>
    public void Accept(int token)
    {
        if (!_state.Accept(token))
            throw new InvalidOperationException($"Token {token} was chosen although the constraint does not allow it.");
        _ready = false;
    }

    /// <summary>Tokens of the text that must come next in any case; how many.</summary>
    public int Forced(Span<int> room) => _state.ForcedTokens(room);
}
