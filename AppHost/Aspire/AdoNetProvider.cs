using Aspire.Hosting.Orleans;

namespace Slm.AppHost.Aspire;

/// <summary>
/// Orleans on PostgreSQL. The built-in mapping names a provider no Orleans package knows and leaves its options empty, so
/// this writes what the ADO.NET providers read: the invariant and the name of the connection string.
/// </summary>
internal sealed class AdoNetProvider(IResourceBuilder<IResourceWithConnectionString> database) : IProviderConfiguration
{
    /// <inheritdoc/>
    /// <param name="resourceBuilder">The silo.</param>
    /// <param name="configSectionPath">For example <c>Clustering</c>.</param>
    public void ConfigureResource<T>(IResourceBuilder<T> resourceBuilder, string configSectionPath)
        where T : IResourceWithEnvironment
    {
        resourceBuilder
            .WithEnvironment($"Orleans__{configSectionPath}__ProviderType", "AdoNet")
            .WithEnvironment($"Orleans__{configSectionPath}__Invariant", "Npgsql")
            .WithEnvironment($"Orleans__{configSectionPath}__ConnectionName", database.Resource.Name)
            .WithReference(database);
    }
}
