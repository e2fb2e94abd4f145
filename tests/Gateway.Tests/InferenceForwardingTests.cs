using Slm.V1;

namespace Slm.Gateway.Tests;

public sealed class InferenceForwardingTests
{
    /// <summary>A method that is new in the contract and not passed on would be answered UNIMPLEMENTED by a gateway of its own.</summary>
    [Fact]
    public void Every_method_of_the_service_is_passed_on() => Assert.All(
        InferenceService.Descriptor.Methods,
        method => Assert.Equal(typeof(InferenceForwarding), typeof(InferenceForwarding).GetMethod(method.Name)!.DeclaringType));
}
