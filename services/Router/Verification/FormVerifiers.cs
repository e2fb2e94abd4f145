using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Slm.Router.Policies;
using Slm.V1;

namespace Slm.Router.Verification;

/// <summary>Checks that need nothing but the answer.</summary>
internal static class FormVerifiers
{
    /// <summary>The result; null for a check that asks a model.</summary>
    /// <param name="spec">The check.</param>
    /// <param name="text">The answer.</param>
    /// <param name="reading">The same, read.</param>
    /// <param name="agreement">Share of the samples that agree; null without samples.</param>
    public static VerifierResult? Check(VerifierSpec spec, string text, AnswerReading reading, double? agreement) => spec switch
    {
        VerifierSpec.Schema => Result(spec, reading.Valid ? null : string.Join("; ", reading.Problems)),
        VerifierSpec.Executable => Result(spec, reading.Executable ? null : string.Join("; ", reading.Problems)),
        VerifierSpec.Unit unit => Result(spec, Unit(unit, text, reading.Document)),
        VerifierSpec.Consistency consistency => Scored(spec, agreement ?? 0, consistency.AtLeast, "of the samples agree"),
        _ => null,
    };

    /// <summary>The result of a check with a score.</summary>
    public static VerifierResult Scored(VerifierSpec spec, double score, double least, string what)
    {
        var result = Result(spec, score >= least ? null : string.Create(CultureInfo.InvariantCulture, $"{score:0.###} {what}, at least {least:0.###} must"));
        result.Score = score;
        return result;
    }

    private static VerifierResult Result(VerifierSpec spec, string? problem) => new() { Verifier = spec.Name, Passed = problem is null, Message = problem ?? "" };

    private static string? Unit(VerifierSpec.Unit unit, string text, JsonElement? document)
    {
        if (unit.Pattern is { } pattern && !Matches(pattern, text))
            return $"it must match {pattern}";
        if (unit.Pointer is not { } pointer)
            return null;
        if (document is not { } root || Find(root, pointer) is not { } value)
            return $"it has no value at {pointer}";
        if (unit.Minimum is not null || unit.Maximum is not null)
        {
            if (value.ValueKind != JsonValueKind.Number || !value.TryGetDouble(out var number))
                return $"{pointer} must be a number";
            if (number < unit.Minimum)
                return string.Create(CultureInfo.InvariantCulture, $"{pointer} is {number} but must be at least {unit.Minimum}");
            if (number > unit.Maximum)
                return string.Create(CultureInfo.InvariantCulture, $"{pointer} is {number} but must be at most {unit.Maximum}");
        }

        var words = value.ValueKind == JsonValueKind.String ? value.GetString()! : value.GetRawText();
        return unit.OneOf.Count > 0 && !unit.OneOf.Contains(words) ? $"{pointer} is {words} but must be one of {string.Join(", ", unit.OneOf)}" : null;
    }

    private static bool Matches(Regex pattern, string text)
    {
        try
        {
            return pattern.IsMatch(text);
        }
        catch (RegexMatchTimeoutException)
        {
            return false;
        }
    }

    private static JsonElement? Find(JsonElement element, string pointer)
    {
        foreach (var part in pointer.Split('/').Skip(1).Select(p => p.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)))
        {
            if (element.ValueKind == JsonValueKind.Object && element.TryGetProperty(part, out var member))
                element = member;
            else if (element.ValueKind == JsonValueKind.Array && int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var index) && index < element.GetArrayLength())
                element = element[index];
            else
                return null;
        }

        return element;
    }
}
