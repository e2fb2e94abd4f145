using System.Text;
using System.Text.Json;

namespace Slm.Engine.Constraints.Json;

/// <summary>JSON values by value: equal ones, whatever the order of their members or the spelling of their numbers, are the same text.</summary>
internal static class CanonicalJson
{
    /// <summary>The text.</summary>
    public static string Write(JsonElement value)
    {
        var text = new StringBuilder();
        Append(text, value);
        return text.ToString();
    }

    private static void Append(StringBuilder text, JsonElement value)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                text.Append('{');
                foreach (var member in value.EnumerateObject().OrderBy(m => m.Name, StringComparer.Ordinal))
                {
                    text.Append(JsonSerializer.Serialize(member.Name, ConstraintJson.Default.String)).Append(':');
                    Append(text, member.Value);
                    text.Append(',');
                }

                text.Append('}');
                break;
            case JsonValueKind.Array:
                text.Append('[');
                foreach (var item in value.EnumerateArray())
                {
                    Append(text, item);
                    text.Append(',');
                }

                text.Append(']');
                break;
            case JsonValueKind.Number when DecimalNumber.TryParse(value.GetRawText(), out var number):
                text.Append(number.Mantissa).Append('e').Append(number.Scale);
                break;
            case JsonValueKind.String:
                text.Append(JsonSerializer.Serialize(value.GetString()!, ConstraintJson.Default.String));
                break;
            default:
                text.Append(value.GetRawText());
                break;
        }
    }
}
