namespace Slm.Gateway.Access;

/// <summary>Who makes a request, and what it needs; a feature of the request's context.</summary>
/// <param name="Name">Such as <c>key:ID</c>, or the address of one without a key.</param>
/// <param name="Key">The key; null where none is asked for.</param>
/// <param name="Rule">What the call needs.</param>
internal sealed record Caller(string Name, ApiKey? Key, CallRule Rule);
