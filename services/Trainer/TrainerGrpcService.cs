using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using Microsoft.Extensions.Options;
using Slm.Trainer.Jobs;
using Slm.V1;

namespace Slm.Trainer;

/// <summary><c>slm.v1.TrainerService</c>: training jobs over the training program.</summary>
internal sealed class TrainerGrpcService(JobStore store, JobRunner runner, IOptions<TrainerServiceOptions> options, TimeProvider time) : TrainerService.TrainerServiceBase
{
    private const int DefaultPageSize = 100;
    private const int MaxPageSize = 1000;

    public override Task<Job> Submit(SubmitTrainingRequest request, ServerCallContext context)
    {
        if (request.SpecCase != SubmitTrainingRequest.SpecOneofCase.Pretrain)
            throw Invalid("pretrain", "No job is given. Set pretrain.config_yaml to the configuration of `slm train pretrain`.");
        var config = request.Pretrain.ConfigYaml;
        if (string.IsNullOrWhiteSpace(config))
            throw Invalid("pretrain.config_yaml", "It is empty. It takes the YAML document of `slm train pretrain --config`.");
        if (config.Length > options.Value.MaxConfigLength)
            throw Invalid("pretrain.config_yaml", $"It has {config.Length} characters; at most {options.Value.MaxConfigLength} are allowed.");
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(config)));
        if (!request.Force && store.All().LastOrDefault(j => j.ConfigHash == hash && j.State is not (JobState.Failed or JobState.Cancelled)) is { } same)
            return Task.FromResult(same);
        var job = new Job
        {
            Id = $"train-{Guid.CreateVersion7(time.GetUtcNow()):N}",
            Kind = "train.pretrain",
            State = JobState.Queued,
            Submitted = Timestamp.FromDateTimeOffset(time.GetUtcNow()),
            Config = config,
            ConfigHash = hash,
        };
        store.Add(job);
        runner.Enqueue(job.Id);
        return Task.FromResult(job);
    }

    public override Task<Job> Get(GetJobRequest request, ServerCallContext context) => Task.FromResult(store.Find(request.Id) ?? throw Unknown(request.Id));

    public override Task<ListJobsResponse> List(ListJobsRequest request, ServerCallContext context)
    {
        var size = request.HasPageSize ? request.PageSize : DefaultPageSize;
        if (size is < 1 or > MaxPageSize)
            throw Invalid("page_size", $"It is {size}; it must be between 1 and {MaxPageSize}.");
        var offset = 0;
        if (request.HasPageToken && (!int.TryParse(request.PageToken, NumberStyles.None, CultureInfo.InvariantCulture, out offset)))
            throw Invalid("page_token", $"'{request.PageToken}' is not a token this service gave out.");
        var jobs = store.All().Where(j => request.States.Count == 0 || request.States.Contains(j.State)).ToList();
        var response = new ListJobsResponse();
        response.Jobs.AddRange(jobs.Skip(offset).Take(size));
        if (offset + size < jobs.Count)
            response.NextPageToken = (offset + size).ToString(CultureInfo.InvariantCulture);
        return Task.FromResult(response);
    }

    public override async Task Watch(WatchJobRequest request, IServerStreamWriter<JobEvent> responseStream, ServerCallContext context)
    {
        if (store.Find(request.Id) is null)
            throw Unknown(request.Id);
        await foreach (var job in store.WatchAsync(request.Id, context.CancellationToken))
            await responseStream.WriteAsync(new JobEvent { Job = job }, context.CancellationToken);
    }

    public override Task<Job> Cancel(CancelJobRequest request, ServerCallContext context) => Task.FromResult(runner.Cancel(request.Id) ?? throw Unknown(request.Id));

    private static RpcException Invalid(string field, string problem)
    {
        var details = new BadRequest();
        details.FieldViolations.Add(new BadRequest.Types.FieldViolation { Field = field, Description = problem });
        return new Google.Rpc.Status { Code = (int)Code.InvalidArgument, Message = $"{field}: {problem}", Details = { Any.Pack(details) } }.ToRpcException();
    }

    private static RpcException Unknown(string id) => new Google.Rpc.Status
    {
        Code = (int)Code.NotFound,
        Message = $"There is no job '{id}'. List names the jobs there are.",
        Details = { Any.Pack(new ResourceInfo { ResourceType = "slm.v1.Job", ResourceName = id }) },
    }.ToRpcException();
}
