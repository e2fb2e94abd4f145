using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Grpc.Net.Client;
using Slm.AppHost.Local;
using Slm.V1;

namespace Slm.Integration;

/// <summary>TLS for clients: Kestrel's own section adds endpoints to those of <c>Slm:Http</c> and <c>Slm:Grpc</c>.</summary>
public sealed class EndpointTlsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("slm-tls-").FullName;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task One_port_serves_HTTP_and_gRPC_with_TLS_beside_the_plain_ones()
    {
        using var authority = new TestAuthority(_folder, "ours");
        var (certificate, key) = authority.Sign("localhost", "platform");
        var (http, grpc, https) = (Ports.Free(), Ports.Free(), Ports.Free());
        await using var app = LocalPlatform.Build(
        [
            $"--Slm:Http=http://127.0.0.1:{http}", $"--Slm:Grpc=http://127.0.0.1:{grpc}", $"--Slm:Models={ReferenceModel.Folder}", $"--Slm:Trainer:Folder={_folder}/jobs",
            $"--Kestrel:Endpoints:Public:Url=https://127.0.0.1:{https}", $"--Kestrel:Endpoints:Public:Certificate:Path={certificate}", $"--Kestrel:Endpoints:Public:Certificate:KeyPath={key}",
            "--Logging:LogLevel:Default=Error", "--Logging:LogLevel:Microsoft.Hosting.Lifetime=Warning",
        ]);
        await app.StartAsync(Cancelled);

        using var web = new HttpClient(Handler());
        Assert.Equal(HttpStatusCode.OK, (await web.GetAsync($"https://localhost:{https}/health", Cancelled)).StatusCode);
        using var channel = GrpcChannel.ForAddress($"https://localhost:{https}", new GrpcChannelOptions { HttpHandler = Handler(), DisposeHttpClient = true });
        Assert.NotEmpty((await new ModelService.ModelServiceClient(channel).ListAsync(new ListModelsRequest(), cancellationToken: Cancelled)).Models);

        using var plain = GrpcChannel.ForAddress($"http://127.0.0.1:{grpc}");
        Assert.NotEmpty((await new ModelService.ModelServiceClient(plain).ListAsync(new ListModelsRequest(), cancellationToken: Cancelled)).Models);
        using var open = new HttpClient();
        Assert.Equal(HttpStatusCode.OK, (await open.GetAsync($"http://127.0.0.1:{http}/health", Cancelled)).StatusCode);
        await app.StopAsync(Cancelled);

        SocketsHttpHandler Handler() => new()
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, shown, _, errors) =>
                    (errors & SslPolicyErrors.RemoteCertificateNameMismatch) == 0 && shown is X509Certificate2 certificate && authority.HasSigned(certificate),
            },
        };
    }
}
