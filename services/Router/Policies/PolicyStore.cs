using Google.Rpc;
using Slm.ServiceDefaults.Errors;
using Slm.V1;

namespace Slm.Router.Policies;

/// <summary>
/// The policies in the folder, read again when a file changes. A file that cannot be used leaves the policy that it held before in
/// place, and the problems are logged, counted and listed.
/// </summary>
internal sealed partial class PolicyStore(RouterOptions options, TimeProvider time, ILogger<PolicyStore> logger) : IHostedService, IDisposable
{
    private const long MostBytes = 1 << 20;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly SortedDictionary<string, Entry> _files = new(StringComparer.Ordinal);
    private readonly HashSet<string> _endpoints = [.. options.Endpoints.Keys];
    private ITimer? _timer;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        Refresh();
        _timer = time.CreateTimer(_ => Refresh(), null, Interval, Interval);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        Dispose();
        return Task.CompletedTask;
    }

    public void Dispose() => _timer?.Dispose();

    /// <summary>A policy by its name, or the default one.</summary>
    /// <exception cref="StatusException">There is none.</exception>
    public RoutePolicy Get(string? name)
    {
        lock (_gate)
        {
            var usable = _files.Values.Select(e => e.Policy).OfType<RoutePolicy>().ToArray();
            var wanted = string.IsNullOrEmpty(name) ? options.DefaultPolicy : name;
            if (usable.FirstOrDefault(p => p.Name == wanted) is { } found)
                return found;
            if (string.IsNullOrEmpty(name) && usable is [var only])
                return only;
            var known = usable.Length == 0 ? $"There are none: put a YAML file into {options.Policies}." : $"There are {string.Join(", ", usable.Select(p => p.Name))}.";
            var faulty = _files.Where(f => f.Value.Policy is null).Select(f => Path.GetFileName(f.Key)).ToArray();
            throw new Contracts.Grains.StatusException(ErrorMap.Make(
                Code.NotFound, $"There is no routing policy '{wanted}'. {known}{(faulty.Length > 0 ? $" Not usable: {string.Join(", ", faulty)}." : "")}",
                new ResourceInfo { ResourceType = "policy", ResourceName = wanted }, ErrorMap.Info("POLICY_NOT_FOUND")));
        }
    }

    /// <summary>A policy that a request brings along.</summary>
    /// <exception cref="FieldException">It has problems; all are named.</exception>
    public RoutePolicy Read(string yaml, string field)
    {
        var (policy, problems) = PolicyReader.TryRead(yaml, _endpoints);
        return problems.Count == 0 ? policy! : throw new FieldException(field, string.Join(" ", problems.Select(PolicyException.Line)));
    }

    /// <summary>What is wrong with a policy, and its hash where nothing is.</summary>
    public CheckPolicyResponse Check(string yaml)
    {
        var (policy, problems) = PolicyReader.TryRead(yaml, _endpoints);
        var response = new CheckPolicyResponse { Hash = problems.Count == 0 ? policy!.Hash : "" };
        response.Problems.Add(problems);
        return response;
    }

    /// <summary>All files.</summary>
    public ListPoliciesResponse List()
    {
        Refresh();
        var response = new ListPoliciesResponse();
        lock (_gate)
        {
            foreach (var (file, entry) in _files)
            {
                var info = new PolicyInfo { Name = entry.Policy?.Name ?? Path.GetFileNameWithoutExtension(file), Hash = entry.Policy?.Hash ?? "", Description = entry.Policy?.Description ?? "" };
                info.Models.Add((entry.Policy?.Stages ?? []).Select(s => s.Model.ToString()));
                info.Problems.Add(entry.Problems);
                response.Policies.Add(info);
            }

            var usable = _files.Values.Select(e => e.Policy).OfType<RoutePolicy>().ToArray();
            response.DefaultPolicy = usable.FirstOrDefault(p => p.Name == options.DefaultPolicy)?.Name ?? (usable is [var only] ? only.Name : "");
        }

        return response;
    }

    /// <summary>Reads what has changed.</summary>
    public void Refresh()
    {
        lock (_gate)
        {
            try
            {
                var present = Directory.Exists(options.Policies) ? Directory.GetFiles(options.Policies, "*.yaml").Order(StringComparer.Ordinal).ToArray() : [];
                foreach (var gone in _files.Keys.Except(present).ToArray())
                {
                    _files.Remove(gone);
                    LogRemoved(logger, gone);
                }

                foreach (var path in present)
                    Refresh(path);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                LogUnreadable(logger, error, options.Policies);
            }
        }
    }

    private void Refresh(string path)
    {
        var file = new FileInfo(path);
        var stamp = (file.LastWriteTimeUtc.Ticks, file.Length);
        _files.TryGetValue(path, out var old);
        if (old?.Stamp == stamp)
            return;
        RoutePolicy? policy = null;
        IReadOnlyList<PolicyProblem> problems;
        if (file.Length > MostBytes)
            problems = [new PolicyProblem { Line = 1, Message = $"is {file.Length} bytes long; at most {MostBytes} are read." }];
        else
            (policy, problems) = PolicyReader.TryRead(File.ReadAllText(path), _endpoints);
        if (problems.Count == 0 && _files.FirstOrDefault(f => f.Key != path && f.Value.Policy?.Name == policy!.Name).Key is { } twin)
            problems = [new PolicyProblem { Line = 1, Field = "name", Message = $"is '{policy!.Name}', as in {Path.GetFileName(twin)}. Each policy needs a name of its own." }];
        RouterMetrics.Reloaded(problems.Count == 0);
        if (problems.Count == 0)
        {
            _files[path] = new Entry(stamp, policy, []);
            LogLoaded(logger, policy!.Name, path, policy.Hash);
            return;
        }

        _files[path] = new Entry(stamp, old?.Policy, problems);
        if (logger.IsEnabled(LogLevel.Error))
            LogFaulty(logger, path, old?.Policy is null ? "it is not used" : $"'{old.Policy.Name}' stays as it was", string.Join(" ", problems.Select(PolicyException.Line)));
    }

    private sealed record Entry((long, long) Stamp, RoutePolicy? Policy, IReadOnlyList<PolicyProblem> Problems);

    [LoggerMessage(Level = LogLevel.Information, Message = "Policy {Policy} is loaded from {File} ({Hash})")]
    private static partial void LogLoaded(ILogger logger, string policy, string file, string hash);

    [LoggerMessage(Level = LogLevel.Information, Message = "The policy file {File} is gone")]
    private static partial void LogRemoved(ILogger logger, string file);

    [LoggerMessage(Level = LogLevel.Error, Message = "The policy file {File} has faults, {Consequence}: {Problems}")]
    private static partial void LogFaulty(ILogger logger, string file, string consequence, string problems);

    [LoggerMessage(Level = LogLevel.Error, Message = "The policies in {Folder} cannot be read")]
    private static partial void LogUnreadable(ILogger logger, Exception error, string folder);
}
