using Slm.ServiceDefaults;
using Slm.V1;

namespace Slm.Gateway;

/// <summary>
/// gRPC clients of the services behind the gateway. Answers go on at <c>services:inference:grpc:1</c>
/// and following, where there are such, when the one before is lost.
/// </summary>
internal sealed class PlatformClients
{
    public PlatformClients(ServiceChannels channels, IConfiguration configuration, TimeProvider time)
    {
        Inference = new(channels.To("inference"));
        Models = new(channels.To("inference"));
        Tokens = new(channels.To("tokenizer"));
        Router = new(channels.To("router"));
        var all = new List<InferenceService.InferenceServiceClient> { Inference };
        while (configuration[$"services:inference:grpc:{all.Count}"] is { } address)
            all.Add(new(channels.At(address)));
        Answers = new SteadyGeneration(all, time);
    }

    public InferenceService.InferenceServiceClient Inference { get; }

    /// <summary>Streamed answers.</summary>
    public SteadyGeneration Answers { get; }

    public ModelService.ModelServiceClient Models { get; }

    public TokenizerService.TokenizerServiceClient Tokens { get; }

    public RouterService.RouterServiceClient Router { get; }
}
