using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Orleans.Configuration;
using Orleans.Connections.Security;
using Slm.ServiceDefaults;

namespace Slm.Inference.Cluster;

/// <summary>
/// TLS between silos, section <c>Slm:Inference:Tls</c>: each shows its certificate (<c>CertificatePath</c>, <c>KeyPath</c>) and
/// takes only those signed by a certificate of <c>CaPath</c>, and, where <c>Names</c> is set, made out to one of these DNS names.
/// All are PEM files, read when the silo starts.
/// </summary>
internal sealed partial class SiloTls
{
    private const string Section = "Slm:Inference:Tls";
    private readonly X509Certificate2 _own;
    private readonly X509Certificate2Collection _authorities;
    private readonly string[] _names;

    private SiloTls(X509Certificate2 own, X509Certificate2Collection authorities, string[] names) => (_own, _authorities, _names) = (own, authorities, names);

    /// <summary>Reads the section and its files; null if there is none.</summary>
    /// <exception cref="OptionException">A setting is missing, or its file cannot be used.</exception>
    public static SiloTls? From(IConfiguration configuration)
    {
        var section = configuration.GetSection(Section);
        if (!section.Exists())
            return null;
        var (certificatePath, keyPath, authorityPath) = (PathOf("CertificatePath"), PathOf("KeyPath"), PathOf("CaPath"));
        var authorities = Read("CaPath", authorityPath, "certificates", path =>
        {
            var found = new X509Certificate2Collection();
            found.ImportFromPemFile(path);
            return found.Count > 0 ? found : throw new CryptographicException("it has none.");
        });
        // Read by itself first, so that an error names the file that it is in.
        Read("CertificatePath", certificatePath, "a certificate", X509CertificateLoader.LoadCertificateFromFile).Dispose();
        var own = Read("KeyPath", keyPath, "the key of Tls:CertificatePath", path => X509Certificate2.CreateFromPemFile(certificatePath, path));
        var names = section.GetSection("Names") is var list && list.Value is { Length: > 0 } text
            ? text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            : [.. list.GetChildren().Select(n => n.Value).OfType<string>()];
        var tls = new SiloTls(own, authorities, names);
        return tls.Refusal(own) is { } reason
            ? throw new OptionException($"{Section}:CertificatePath", certificatePath, $"be a certificate that the other silos take, but {reason}")
            : tls;

        string PathOf(string name) => section[name] is { Length: > 0 } path
            ? path
            : throw new OptionException($"{Section}:{name}", section[name], "name a PEM file, because the section is there");

        static T Read<T>(string name, string path, string what, Func<string, T> read)
        {
            try
            {
                return read(path);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
            {
                throw new OptionException($"{Section}:{name}", path, $"be a PEM file with {what}: {error.Message}");
            }
        }
    }

    /// <summary>Makes a silo use it for all connections.</summary>
    public void Apply(ISiloBuilder silo) =>
        silo.Services.AddOptions<SiloConnectionOptions>().Configure<ILogger<SiloTls>>((connections, logger) =>
        {
            var tls = new TlsOptions
            {
                LocalCertificate = _own,
                RemoteCertificateMode = RemoteCertificateMode.RequireCertificate,
                ClientCertificateMode = RemoteCertificateMode.RequireCertificate,
                RemoteCertificateValidation = (certificate, _, _) => IsTaken(certificate, logger),
                // Which name is right says Names; the one asked for decides nothing.
                OnAuthenticateAsClient = (_, client) => client.TargetHost = "silo",
            };
            connections.ConfigureSiloInboundConnection(connection => connection.UseServerTls(tls));
            connections.ConfigureGatewayInboundConnection(connection => connection.UseServerTls(tls));
            connections.ConfigureSiloOutboundConnection(connection => connection.UseClientTls(tls));
        });

    /// <summary>The client's side of a connection between silos that is not Orleans'.</summary>
    public SslClientAuthenticationOptions ClientOptions(ILogger logger) => new()
    {
        TargetHost = "silo",
        ClientCertificates = [_own],
        RemoteCertificateValidationCallback = Check(logger),
    };

    /// <summary>The server's side of it.</summary>
    public SslServerAuthenticationOptions ServerOptions(ILogger logger) => new()
    {
        ServerCertificate = _own,
        ClientCertificateRequired = true,
        RemoteCertificateValidationCallback = Check(logger),
    };

    private RemoteCertificateValidationCallback Check(ILogger logger) => (_, certificate, _, _) => certificate is X509Certificate2 known && IsTaken(known, logger);

    private bool IsTaken(X509Certificate2 certificate, ILogger logger)
    {
        if (Refusal(certificate) is not { } reason)
            return true;
        LogRefused(logger, certificate.Subject, reason);
        return false;
    }

    /// <summary>Why a certificate is not taken; null if it is.</summary>
    private string? Refusal(X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(_authorities);
        // There is no server to ask for an authority of one's own: who takes one back makes another.
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        if (!chain.Build(certificate))
            return $"it is not signed by a certificate of Tls:CaPath, or not valid now: {string.Join(' ', chain.ChainStatus.Select(s => s.StatusInformation.Trim()))}";
        return _names.Length == 0 || _names.Any(name => certificate.MatchesHostname(name, allowWildcards: true, allowCommonName: false))
            ? null
            : $"it is made out to none of Tls:Names ({string.Join(", ", _names)}).";
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The certificate {Subject} of a silo is not taken: {Reason}")]
    private static partial void LogRefused(ILogger logger, string subject, string reason);
}
