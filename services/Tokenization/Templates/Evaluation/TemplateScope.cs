namespace Slm.Tokenization.Templates;

/// <summary>Names and their values; a name not set here is looked up in the enclosing scope.</summary>
internal sealed class TemplateScope(TemplateScope? parent)
{
    private readonly Dictionary<string, object?> _values = new(StringComparer.Ordinal);

    public void Set(string name, object? value) => _values[name] = value;

    public bool TryGet(string name, out object? value)
    {
        for (var scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope._values.TryGetValue(name, out value)) return true;
        }
        value = null;
        return false;
    }

    private TemplateScope? Parent { get; } = parent;
}
