
namespace Slm.Tokenizer;

/// <summary>Registration of the service.</summary>
public static class TokenizerExtensions
{
    /// <summary>Adds what the service needs.</summary>
    public static IHostApplicationBuilder AddTokenizerService(this IHostApplicationBuilder builder)
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder;
    }

    /// <summary>Maps its endpoints.</summary>
    public static WebApplication MapTokenizerService(this WebApplication app) => app;
}
