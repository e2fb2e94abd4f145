using System.Globalization;

namespace Slm.Engine.Sampling;

/// <summary>A sampling value is outside its range.</summary>
public sealed class SamplingOptionException : ArgumentException
{
    /// <summary>Creates the error.</summary>
    /// <param name="field">Field name as in the contract, such as <c>top_p</c>.</param>
    /// <param name="value">What was given.</param>
    /// <param name="rule">What is allowed, to follow "must be".</param>
    public SamplingOptionException(string field, object value, string rule)
        : base(string.Create(CultureInfo.InvariantCulture, $"{field} must be {rule}, but is {value}."))
    {
        Field = field;
        Value = value;
    }

    /// <summary>Field name as in the contract.</summary>
    public string Field { get; }

    /// <summary>What was given.</summary>
    public object Value { get; }
}
