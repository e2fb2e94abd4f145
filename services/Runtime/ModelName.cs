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
        if (!name.Contains(Separator))
            return new ModelName(catalog.Find(name), null);
        var models = catalog.List();
        if (models.FirstOrDefault(m => m.Name == name) is { } whole)
            return new ModelName(whole, null);
        for (var at = name.LastIndexOf(Separator); at > 0; at = name.LastIndexOf(Separator, at - 1))
        {
            if (models.FirstOrDefault(m => m.Name == name[..at]) is { } model && at + 1 < name.Length)
                return new ModelName(model, name[(at + 1)..]);
        }

        throw new ModelNotFoundException(name, [.. models.Select(m => m.Name)]);
    }
}
