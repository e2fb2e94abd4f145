using Slm.AppHost;

namespace Slm.Integration;

public sealed class CompositionTests
{
    [Fact]
    public void Services_come_before_those_that_call_them()
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var service in Composition.Services)
        {
            Assert.All(service.Calls, called => Assert.Contains(called, seen));
            Assert.True(seen.Add(service.Name));
        }
        Assert.Single(Composition.Services, s => s.IsPublic);
    }

    [Fact]
    public void Every_service_has_its_project_in_the_Aspire_composition()
    {
        // It is compiled only where Aspire's packages are: here its text is all there is.
        var program = File.ReadAllText(Path.Combine(Checkout.Root, "AppHost", "Aspire", "Program.cs"));
        foreach (var service in Composition.Services)
        {
            var project = Directory.EnumerateDirectories(Path.Combine(Checkout.Root, "services")).Select(Path.GetFileName).Single(n => string.Equals(n, service.Name, StringComparison.OrdinalIgnoreCase));
            Assert.Contains($"\"{service.Name}\" => Add<Projects.{project}>(entry)", program, StringComparison.Ordinal);
        }
    }
}
