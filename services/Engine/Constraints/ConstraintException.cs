namespace Slm.Engine.Constraints;

/// <summary>A constraint that is malformed, or asks for what cannot be enforced while a text is written.</summary>
/// <param name="place">Where: a JSON Pointer into the schema, or a position in the expression or grammar.</param>
/// <param name="keyword">The keyword or construct.</param>
/// <param name="reason">Why, and what to do instead.</param>
public class ConstraintException(string place, string keyword, string reason)
    : Exception(place.Length == 0 ? reason : $"{place}: {reason}")
{
    /// <summary>Where.</summary>
    public string Place { get; } = place;

    /// <summary>The keyword or construct.</summary>
    public string Keyword { get; } = keyword;

    /// <summary>Why, and what to do instead.</summary>
    public string Reason { get; } = reason;
}

/// <summary>A constraint whose automaton would be larger than allowed.</summary>
public sealed class ConstraintTooLargeException(string place, string keyword, string reason) : ConstraintException(place, keyword, reason);

/// <summary>A model whose vocabulary cannot write what its constraint asks for next.</summary>
public sealed class ConstraintDeadEndException() : Exception("The constraint asks for characters that no token of the model's vocabulary can write.");

/// <summary>No text can satisfy the constraint.</summary>
public sealed class UnsatisfiableConstraintException(string place, string reason) : ConstraintException(place, "", reason);
