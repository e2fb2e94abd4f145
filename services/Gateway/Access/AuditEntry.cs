namespace Slm.Gateway.Access;

/// <summary>Who did what, when, and with which outcome; never contents or secrets.</summary>
/// <param name="Time">When it came.</param>
/// <param name="RequestId">Header x-request-id of the answer.</param>
/// <param name="KeyId">Empty without a key.</param>
/// <param name="Address">The caller's address.</param>
/// <param name="Action">Method and path.</param>
/// <param name="Outcome">HTTP status, name of the gRPC status, or ABORTED.</param>
/// <param name="PromptTokens">Tokens read.</param>
/// <param name="CompletionTokens">Tokens generated.</param>
/// <param name="Duration">How long it took.</param>
internal sealed record AuditEntry(
    DateTimeOffset Time, string RequestId, string KeyId, string Address, string Action, string Outcome, long PromptTokens, long CompletionTokens, TimeSpan Duration);
