using System.Runtime.CompilerServices;
using Grpc.Core;
using Slm.V1;

namespace Slm.Gateway.OpenAi;

/// <summary>The model names <c>auto</c> and <c>auto:POLICY</c>: the router chooses the model that answers.</summary>
internal static class RoutedModel
{
    public const string Name = "auto";

    /// <summary>Header with the id of the decision.</summary>
    public const string Header = "x-slm-decision";

    /// <summary>True if a request is for the router.</summary>
    public static bool IsMeant(GenerateRequest request) => request.Model == Name || request.Model.StartsWith(Name + ":", StringComparison.Ordinal);

    /// <summary>The policies a request may name; none where no router answers, whose models cannot be asked then.</summary>
    public static async Task<ListPoliciesResponse> PoliciesAsync(PlatformClients clients, CancellationToken cancellationToken)
    {
        try
        {
            return await clients.Router.ListPoliciesAsync(new ListPoliciesRequest(), cancellationToken: cancellationToken);
        }
        catch (RpcException error) when (error.StatusCode is StatusCode.Unavailable or StatusCode.Unimplemented)
        {
            return new ListPoliciesResponse();
        }
    }

    /// <summary>The whole answer, with model and decision in its usage.</summary>
    public static async Task<GenerateOnceResponse> OnceAsync(PlatformClients clients, GenerateRequest request, CancellationToken cancellationToken)
    {
        var routed = await clients.Router.GenerateOnceAsync(Of(request), cancellationToken: cancellationToken);
        (routed.Answer.Usage.RoutedModel, routed.Answer.Usage.DecisionId) = (routed.Decision.Model, routed.Decision.Id);
        return routed.Answer;
    }

    /// <summary>The pieces of the answer. The last one waits for the decision, so that it can name the model.</summary>
    public static async IAsyncEnumerable<GenerateResponse> StreamAsync(PlatformClients clients, GenerateRequest request, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var call = clients.Router.Generate(Of(request), cancellationToken: cancellationToken);
        GenerateResponse? last = null;
        await foreach (var message in call.ResponseStream.ReadAllAsync(cancellationToken))
        {
            if (message.PartCase == RoutedResponse.PartOneofCase.Decision)
            {
                if (last?.Usage is { } usage)
                    (usage.RoutedModel, usage.DecisionId) = (message.Decision.Model, message.Decision.Id);
                continue;
            }

            if (last is not null)
                yield return last;
            last = message.Piece;
        }

        if (last is not null)
            yield return last;
    }

    /// <summary>Says in a header which decision chose the model.</summary>
    public static void Describe(HttpContext context, Usage usage)
    {
        if (usage.DecisionId.Length > 0)
            context.Response.Headers[Header] = usage.DecisionId;
    }

    private static RouteRequest Of(GenerateRequest request)
    {
        var own = request.Clone();
        own.Model = "";
        var routed = new RouteRequest { Request = own };
        if (request.Model.Length > Name.Length)
            routed.Policy = request.Model[(Name.Length + 1)..];
        return routed;
    }
}
