// Each service a process of its own: aspire run, or aspire publish for Kubernetes. Needs -p:UseAspire=true.
using Slm.AppHost;
using Slm.AppHost.Aspire;

const string ClusterName = "slm";
const int HttpPort = 8080, GrpcPort = 8081;

var builder = DistributedApplication.CreateBuilder(args);
var publish = builder.ExecutionContext.IsPublishMode;

var kubernetes = builder.AddKubernetesEnvironment(ClusterName)
    .WithHelm(h => h.WithChartName("slm-platform").WithChartVersion("0.1.0").WithNamespace(ClusterName))
    .WithProperties(e =>
    {
        // Without it the database would lose its data with its pod.
        e.DefaultStorageType = "pvc";
        e.DefaultStorageSize = "20Gi";
    });

// The database of a published chart is created by its own environment; AddDatabase does so in run mode only.
var database = builder.AddPostgres("postgres").WithDataVolume("slm-postgres")
    .WithEnvironment("POSTGRES_DB", "slmdb").AddDatabase("slmdb");
var orleans = builder.AddOrleans("orleans").WithClusterId(ClusterName).WithServiceId(ClusterName)
    .WithClustering(new AdoNetProvider(database));

var services = new Dictionary<string, IResourceBuilder<ProjectResource>>(StringComparer.Ordinal);
foreach (var entry in Composition.Services)
{
    var service = services[entry.Name] = entry.Name switch
    {
        "tokenizer" => Add<Projects.Tokenizer>(entry),
        "inference" => Add<Projects.Inference>(entry),
        "router" => Add<Projects.Router>(entry),
        "evaluator" => Add<Projects.Evaluator>(entry),
        "trainer" => Add<Projects.Trainer>(entry),
        "gateway" => Add<Projects.Gateway>(entry),
        _ => throw new InvalidOperationException($"The service '{entry.Name}' of the composition has no project here."),
    };
    foreach (var called in entry.Calls)
        service.WithReference(services[called].GetEndpoint("grpc")).WaitFor(services[called]);
    if (entry.IsSilo)
        service.WithReference(orleans).WaitFor(database);
    if (entry.IsPublic)
    {
        service.WithExternalHttpEndpoints().WithEnvironment("Slm__Access__Database", database).WaitFor(database);
        kubernetes.AddIngress("public").WithPath("/", service.GetEndpoint("http"));
    }
}

builder.Build().Run();

IResourceBuilder<ProjectResource> Add<T>(ServiceEntry entry)
    where T : IProjectMetadata, new()
{
    var service = builder.AddProject<T>(entry.Name, o =>
        {
            o.ExcludeLaunchProfile = true;
            o.ExcludeKestrelEndpoints = true;
        })
        // Fixed ports in the chart, else settings derived from them stay empty; free ones in run mode, for replicas.
        .WithHttpEndpoint(name: "http", targetPort: publish ? HttpPort : null)
        .WithHttpEndpoint(name: "grpc", targetPort: publish ? GrpcPort : null)
        .WithEndpoint("grpc", e => e.Transport = "http2")
        // No WithHttpHealthCheck beside these: a probe registers its own.
        .WithHttpProbe(ProbeType.Liveness, "/alive", endpointName: "http")
        .WithHttpProbe(ProbeType.Readiness, "/health", endpointName: "http")
        .WithReplicas(entry.Replicas)
        .PublishAsKubernetesService(r =>
        {
            var pod = r.Workload!.PodTemplate.Spec;
            // Longer than a silo takes to let running answers end.
            pod.TerminationGracePeriodSeconds = entry.IsSilo ? 150 : 45;
            // The scheme is written in lower case, which the API server refuses.
            foreach (var container in pod.Containers)
                foreach (var probe in new[] { container.LivenessProbe, container.ReadinessProbe })
                    if (probe?.HttpGet is { } get)
                        get.Scheme = "HTTP";
        });
    return service
        .WithEnvironment("Slm__Http", $"http://*:{service.GetEndpoint("http").Property(EndpointProperty.TargetPort)}")
        .WithEnvironment("Slm__Grpc", $"http://*:{service.GetEndpoint("grpc").Property(EndpointProperty.TargetPort)}");
}
