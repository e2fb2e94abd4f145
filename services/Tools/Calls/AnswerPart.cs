namespace Slm.Tools.Calls;

/// <summary>A piece of an answer with calls.</summary>
public abstract record AnswerPart
{
    private AnswerPart()
    {
    }

    /// <summary>Text outside of calls.</summary>
    public sealed record Text(string Value) : AnswerPart;

    /// <summary>A call begins.</summary>
    /// <param name="Index">Its number in the answer, from 0.</param>
    /// <param name="Id">Its name.</param>
    /// <param name="Function">The function.</param>
    public sealed record CallBegin(int Index, string Id, string Function) : AnswerPart;

    /// <summary>More of a call's arguments.</summary>
    /// <param name="Index">The call's number.</param>
    /// <param name="Json">A fragment of JSON; all fragments make the arguments.</param>
    public sealed record ArgumentsMore(int Index, string Json) : AnswerPart;
}
