using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Automata;

/// <summary>Fixed bytes.</summary>
internal sealed class LiteralFrame(byte[] text, int at, Continuation? below) : Frame(below)
{
    public override ByteSet First { get; } = ByteSet.Of([text[at]]);

    public override int TopHash => HashCode.Combine(text, at);

    public override void Step(byte b, Steps steps)
    {
        if (text[at] != b)
            return;
        if (at + 1 == text.Length)
            steps.Complete(Below);
        else
            steps.Add(new LiteralFrame(text, at + 1, Below));
    }

    public override Frame Above(Continuation? below) => new LiteralFrame(text, at, below);

    public override bool SameTop(Frame other) => other is LiteralFrame literal && literal.IsAt(text, at);

    private bool IsAt(byte[] other, int position) => ReferenceEquals(text, other) && at == position;
}

/// <summary>A text of a language that ends where what follows begins: numbers, expressions, terminals of grammars.</summary>
internal sealed class LanguageFrame(ByteDfa dfa, int state, Continuation? below) : TextFrame(dfa, state, below)
{
    public override bool CanEnd => Dfa.Accepts(State);

    public override bool IsQuoted => false;

    public override int TopHash => HashCode.Combine(Dfa, State, 2);

    public override void Step(byte b, Steps steps)
    {
        var next = Dfa.Step(State, b);
        if (next != ByteDfa.Dead)
            steps.Add(new LanguageFrame(Dfa, next, Below));
    }

    public override Frame Above(Continuation? below) => new LanguageFrame(Dfa, State, below);

    public override bool SameTop(Frame other) => other is LanguageFrame language && ReferenceEquals(Dfa, language.Dfa) && State == language.State;
}
