namespace Slm.Tokenization.Templates;

/// <summary>The evaluated arguments of a call.</summary>
internal sealed class CallArguments(IReadOnlyList<object?> positional, IReadOnlyList<KeyValuePair<string, object?>> named)
{
    /// <summary>Stands for an argument that was not given.</summary>
    public static readonly object Missing = new();

    public static CallArguments None { get; } = new([], []);

    public IReadOnlyList<object?> Positional { get; } = positional;

    public IReadOnlyList<KeyValuePair<string, object?>> Named { get; } = named;

    /// <summary>
    /// Assigns the arguments to parameters, as a Python call does; <see cref="Missing"/> where none was given.
    /// Parameter names that start with "/" cannot be given by name.
    /// </summary>
    public object?[] Bind(string function, int required, params ReadOnlySpan<string> parameters)
    {
        if (Positional.Count > parameters.Length)
            throw TemplateException.Evaluation($"{function}() takes at most {parameters.Length} arguments ({Positional.Count} given)");
        var values = new object?[parameters.Length];
        Array.Fill(values, Missing);
        for (var i = 0; i < Positional.Count; i++) values[i] = Positional[i];
        foreach (var (name, value) in Named)
        {
            var i = parameters.IndexOf(name);
            if (i < 0) throw TemplateException.Evaluation($"{function}() got an unexpected keyword argument '{name}'");
            if (!ReferenceEquals(values[i], Missing)) throw TemplateException.Evaluation($"{function}() got multiple values for argument '{name}'");
            values[i] = value;
        }
        for (var i = 0; i < required; i++)
        {
            if (ReferenceEquals(values[i], Missing))
                throw TemplateException.Evaluation($"{function}() misses the argument '{parameters[i].TrimStart('/')}'");
        }
        return values;
    }

    public static bool Given(object? value) => !ReferenceEquals(value, Missing);

    public static long Integer(object? value, long fallback) => Given(value) ? PyNumber.ToIndex(value) : fallback;

    public static bool Flag(object? value, bool fallback) => Given(value) ? PyCompare.IsTrue(value) : fallback;

    public static string Text(object? value, string fallback) => Given(value) ? PyText.Str(value) : fallback;
}
