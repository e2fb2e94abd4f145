using System.Collections.Concurrent;
using Google.Protobuf;
using Slm.V1;

namespace Slm.Trainer.Jobs;

/// <summary>
/// All jobs, in memory and as one JSON file each, replaced atomically, so that a restart finds them. Readers get copies;
/// watchers get every state and the newest progress.
/// </summary>
internal sealed class JobStore
{
    private static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithPreserveProtoFieldNames(true).WithIndentation());
    private static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithIgnoreUnknownFields(true));

    private readonly string _folder;
    private readonly ConcurrentDictionary<string, Entry> _jobs = new(StringComparer.Ordinal);

    /// <summary>Opens the folder and reads the jobs in it.</summary>
    /// <exception cref="InvalidDataException">A record cannot be read; the message names the file.</exception>
    public JobStore(string folder)
    {
        _folder = folder;
        Directory.CreateDirectory(folder);
        foreach (var file in Directory.EnumerateFiles(folder, "*.job.json"))
        {
            try
            {
                var job = Parser.Parse<Job>(File.ReadAllText(file));
                _jobs[job.Id] = new Entry(job);
            }
            catch (InvalidProtocolBufferException error)
            {
                throw new InvalidDataException($"The job record {file} cannot be read ({error.Message}). Move it away to go on without it.", error);
            }
        }
    }

    /// <summary>Folder of one job's files.</summary>
    public string FolderOf(string id) => Path.Combine(_folder, id);

    public void Add(Job job)
    {
        Directory.CreateDirectory(FolderOf(job.Id));
        var entry = new Entry(job.Clone());
        Save(job);
        _jobs[job.Id] = entry;
    }

    public Job? Find(string id) => _jobs.TryGetValue(id, out var entry) ? entry.Read() : null;

    /// <summary>Oldest first.</summary>
    public IReadOnlyList<Job> All() => [.. _jobs.Values.Select(e => e.Read()).OrderBy(j => j.Submitted.ToDateTimeOffset()).ThenBy(j => j.Id, StringComparer.Ordinal)];

    /// <summary>Changes a job and tells its watchers. A change of state is on disk before anybody hears of it.</summary>
    /// <param name="change">Changes the copy it is given, or returns false to leave the job as it is.</param>
    public Job? Update(string id, Func<Job, bool> change)
    {
        if (!_jobs.TryGetValue(id, out var entry))
            return null;
        return entry.Change(job =>
        {
            var (state, attempts) = (job.State, job.Attempts);
            if (!change(job))
                return false;
            if (job.State != state || job.Attempts != attempts)
                Save(job);
            return true;
        });
    }

    /// <summary>The present record, then each change until the end state. Progress that came in between is passed over.</summary>
    public async IAsyncEnumerable<Job> WatchAsync(string id, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (!_jobs.TryGetValue(id, out var entry))
            yield break;
        while (true)
        {
            var (job, changed) = entry.ReadWithSignal();
            yield return job;
            if (IsEnded(job.State))
                yield break;
            await changed.WaitAsync(cancellationToken);
        }
    }

    public static bool IsEnded(JobState state) => state is JobState.Succeeded or JobState.Failed or JobState.Cancelled;

    private void Save(Job job)
    {
        var file = Path.Combine(_folder, $"{job.Id}.job.json");
        var temporary = file + ".tmp";
        File.WriteAllText(temporary, Formatter.Format(job));
        File.Move(temporary, file, overwrite: true);
    }

    private sealed class Entry(Job job)
    {
        private readonly Lock _gate = new();
        private Job _job = job;
        private TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Job Read()
        {
            lock (_gate)
                return _job.Clone();
        }

        public (Job Job, Task Changed) ReadWithSignal()
        {
            lock (_gate)
                return (_job.Clone(), _changed.Task);
        }

        public Job Change(Func<Job, bool> change)
        {
            TaskCompletionSource? signal = null;
            Job result;
            lock (_gate)
            {
                var copy = _job.Clone();
                if (change(copy))
                {
                    _job = copy;
                    signal = _changed;
                    _changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                }
                result = _job.Clone();
            }
            signal?.SetResult();
            return result;
        }
    }
}
