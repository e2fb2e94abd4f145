namespace Slm.Runtime;

/// <summary>What a request may write where a model is named: "model", or "model:adapter" for one with an adapter.</summary>
/// <param name="Model">A model of the catalog.</param>
/// <param name="Adapter">Name of an adapter that may be loaded with it; null: none.</param>
public sealed record ModelName(CatalogEntry Model, string? Adapter)
{
    /// <summary>Between the two.</summary>
    public const char Separator = ':';

    /// <summary>The name of a model with an adapter.</summary>
    public static string Join(string model, string adapter) => $"{model}{Separator}{adapter}";

    /// <summary>Finds what a name means. A model whose own name has the separator in it wins, and of several the longest.</summary>
    /// <exception cref="ModelNotFoundException">No model has that name, nor a beginning of it.</exception>
    public static ModelName Find(ModelCatalog catalog, string name)
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(name);
        var models = catalog.List();
        return Match(models.Select(m => m.Name), name) is var (model, adapter)
            ? new ModelName(models.First(m => m.Name == model), adapter)
            : throw new ModelNotFoundException(name, [.. models.Select(m => m.Name)]);
    }

    /// <summary>The same among names.</summary>
    /// <returns>Null if none of them is meant.</returns>
    public static (string Model, string? Adapter)? Match(IEnumerable<string> models, string name)
    {
        ArgumentNullException.ThrowIfNull(models);
        ArgumentNullException.ThrowIfNull(name);
        var known = models.ToHashSet(StringComparer.Ordinal);
        if (known.Contains(name))
            return (name, null);
        for (var at = name.LastIndexOf(Separator); at > 0; at = name.LastIndexOf(Separator, at - 1))
        {
            if (known.Contains(name[..at]) && at + 1 < name.Length)
                return (name[..at], name[(at + 1)..]);
        }

        return null;
    }
}
