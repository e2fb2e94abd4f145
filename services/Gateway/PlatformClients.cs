using Grpc.Core;
using Grpc.Core.Interceptors;
using Slm.Gateway.Access;
using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Gateway;

/// <summary>
/// gRPC clients of the services behind the gateway. Answers go on at <c>services:inference:grpc:1</c>
/// and following, where there are such, when the one before is lost.
/// </summary>
internal sealed class PlatformClients
{
    public PlatformClients(ServiceChannels channels, UsageInterceptor usage, IConfiguration configuration, TimeProvider time)
    {
        CallInvoker To(string service) => channels.To(service).Intercept(usage);
        Inference = new(To("inference"));
        Models = new(To("inference"));
        Tokens = new(To("tokenizer"));
        Router = new(To("router"));
        var all = new List<InferenceService.InferenceServiceClient> { Inference };
        while (configuration[$"services:inference:grpc:{all.Count}"] is { } address)
            all.Add(new(channels.At(address).Intercept(usage)));
        Answers = new SteadyInference(all, time);
    }

    public InferenceService.InferenceServiceClient Inference { get; }

    /// <summary>Requests that survive the loss of who answers them.</summary>
    public SteadyInference Answers { get; }

    public ModelService.ModelServiceClient Models { get; }

    public TokenizerService.TokenizerServiceClient Tokens { get; }

    public RouterService.RouterServiceClient Router { get; }
}
