using System.Text.RegularExpressions;
using Grpc.Core;

namespace Slm.Gateway.Access;

/// <summary>Names of gRPC statuses as the protocol's documents write them.</summary>
internal static partial class GrpcCodes
{
    /// <summary>Such as RESOURCE_EXHAUSTED for 8.</summary>
    public static string NameOf(int code) => code == 0 ? "OK" : Words().Replace(((StatusCode)code).ToString(), "_$1").ToUpperInvariant();

    [GeneratedRegex("(?<!^)([A-Z])")]
    private static partial Regex Words();
}
