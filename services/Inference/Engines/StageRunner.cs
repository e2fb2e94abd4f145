using Google.Protobuf;
using Google.Rpc;
using Slm.Contracts.Grains;
using Slm.Engine.Execution;
using Slm.Inference.Cluster;
using Slm.Inference.Direct;
using Slm.Inference.Grains;
using Slm.ServiceDefaults.Errors;
using WireFormat = Slm.Engine.Wire.WireFormat;

namespace Slm.Inference.Engines;

/// <summary>
/// A loaded stage at work: its steps, in their order, on the silo's compute thread. A step begins when its request and its input
/// are there and all steps before it have begun. Grains call it for other silos, the pipeline and the stage before it on the same
/// silo call it themselves, from any thread; what it answers or passes on leaves from the compute thread.
/// </summary>
/// <param name="key">Key of the stage's grain.</param>
/// <param name="spec">What it holds.</param>
/// <param name="stage">The layers.</param>
/// <param name="engine">The silo's threads.</param>
/// <param name="stages">The other stages here.</param>
/// <param name="links">Direct connections to other silos.</param>
/// <param name="calibration">Learns from what steps take; null where that says nothing.</param>
/// <param name="heard">Told of every word from outside.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
internal sealed partial class StageRunner(string key, StageSpec spec, Stage stage, SiloEngine engine, SiloRunners<StageRunner> stages, DirectLinks links, StepCalibration? calibration, Action heard, TimeProvider time, ILogger logger) : ISiloRunner
{
    private readonly Lock _gate = new();
    private readonly Dictionary<long, Step> _steps = [];
    private readonly StepBatch _batch = new();
    private readonly string _experts = stage.HeldExperts.ToString();
    private float[] _input = [];
    private Run _run = new(new StageRun(-1, null, 1, (int)WireFormat.F32), null, false);
    private long _following;
    private bool _closed;

    /// <summary>Key of the stage's grain.</summary>
    public string Key => key;

    /// <inheritdoc/>
    public string Model => spec.Model;

    /// <summary>Begins a run, if it is newer than the present one: what is under way of that ends.</summary>
    /// <param name="run">How the stages are connected.</param>
    /// <param name="next">The stage behind; null for the last one.</param>
    /// <param name="nextIsHere">True if it is on the same silo.</param>
    /// <returns>True if that run is the present one.</returns>
    public bool Begin(StageRun run, IStageGrain? next, bool nextIsHere)
    {
        heard();
        Run old;
        var begun = new Run(run, next, nextIsHere);
        Step[] left;
        lock (_gate)
        {
            if (run.Epoch <= _run.Terms.Epoch)
                return run.Epoch == _run.Terms.Epoch;
            old = _run;
            _run = begun;
            _following = 0;
            left = Leave();
        }

        if (begun.NextSilo is { } silo && !nextIsHere)
            links.Prepare(silo);

        // What still computes, or waits for experts, is of a step that nobody wants any more.
        old.Ends.Cancel();
        GiveUp(left);
        return true;
    }

    /// <summary>Runs a step.</summary>
    /// <returns>Completed on the compute thread.</returns>
    /// <exception cref="StatusException">ABORTED if the step is of another run or its run ends, UNAVAILABLE if the stage is freed or what it needs is lost, else INTERNAL.</exception>
    public Task<StageResult> RunAsync(StageRequest request)
    {
        heard();
        lock (_gate)
        {
            if (Refusal(request.Epoch) is { } refusal)
                return Task.FromException<StageResult>(refusal);
            var step = Of(request.Number);
            step.Request = request;
            Go();
            return step.Done.Task;
        }
    }

    /// <summary>Takes the input of a step.</summary>
    /// <exception cref="StatusException">ABORTED if the step is of another run, UNAVAILABLE if the stage is freed.</exception>
    public void Arrive(long epoch, long number, WireRows rows)
    {
        heard();
        lock (_gate)
        {
            if (Refusal(epoch) is { } refusal)
                throw refusal;
            Of(number).Input = rows;
            Go();
        }
    }

    /// <summary>
    /// Takes a step from the stage before, or a first one from the owner, and passes it on. One of another run is dropped: nobody waits
    /// for it any more.
    /// </summary>
    public void Pass(StagePass pass)
    {
        heard();
        Step step;
        Run run;
        lock (_gate)
        {
            if (Refusal(pass.Request.Epoch) is not null)
            {
                pass.Rows?.Release();
                return;
            }

            (step, run) = (Of(pass.Request.Number), _run);
            if (pass.Failure is null)
            {
                (step.Input, step.ComputeMicroseconds, step.IsPassed) = (pass.Rows, pass.ComputeMicroseconds, true);

                // The last stage answers the owner, whose own request it waits for.
                if (run.Next is not null)
                    step.Request = pass.Request;
                Go();
                return;
            }
        }

        if (run.Next is null)
            step.Done.TrySetException(new StatusException(Status.Parser.ParseFrom(pass.Failure)));
        else
            PassOn(run, pass);
    }

    /// <summary>How far it is.</summary>
    public StageProgress Progress
    {
        get
        {
            lock (_gate)
                return new StageProgress(_closed ? -1 : _run.Terms.Epoch, _following, _run.Passed);
        }
    }

    /// <summary>Ends what is under way; the stage may be disposed.</summary>
    public void Close()
    {
        stages.Remove(this);
        Step[] left;
        lock (_gate)
        {
            _closed = true;
            left = Leave();
        }

        GiveUp(left);
    }

    private StatusException? Refusal(long epoch) =>
        _closed ? GrainErrors.Refuse(Code.Unavailable, $"Stage {key} holds no layers any more.")
        : epoch != _run.Terms.Epoch ? GrainErrors.Refuse(Code.Aborted, $"Stage {key} is in run {_run.Terms.Epoch}; a step of run {epoch} came too late.")
        : null;

    private Step Of(long number)
    {
        if (!_steps.TryGetValue(number, out var step))
            _steps.Add(number, step = new Step());
        return step;
    }

    /// <summary>Hands the steps whose turn it is to the compute thread, which keeps the order from here on.</summary>
    private void Go()
    {
        while (_steps.TryGetValue(_following, out var step) && step.Request is { } request && (stage.HasEmbedding || step.Input is not null))
        {
            _steps.Remove(_following++);
            var run = _run;

            // They wake up while this thread wakes the other one.
            engine.Workers.Rouse();
            // Who awaits it must not go on under the lock.
            if (!engine.Compute.TryPost(() => Execute(step, request, run)))
                _ = Task.Run(() => step.Done.TrySetException(GrainErrors.Refuse(Code.Unavailable, $"The silo of stage {key} stops.")));
        }
    }

    private Step[] Leave()
    {
        Step[] left = [.. _steps.Values];
        _steps.Clear();
        return left;
    }

    private void GiveUp(Step[] steps)
    {
        foreach (var step in steps)
            step.Done.TrySetException(GrainErrors.Refuse(Code.Aborted, $"A step of stage {key} was given up: its run ended."));
    }

    private void Execute(Step step, StageRequest request, Run run)
    {
        try
        {
            var (started, visits) = (time.GetTimestamp(), stage.VisitCount);
            var values = Compute(request, step.Input, run.Ends.Token);
            var took = time.GetElapsedTime(started);
            var all = step.ComputeMicroseconds + (long)took.TotalMicroseconds;
            ClusterMetrics.Computed(spec.Model, spec.Stage, took);
            calibration?.Computed(_batch, took);
            if (stage.HeldExperts.Count > 0)
                ClusterMetrics.Visited(spec.Model, _experts, stage.VisitCount - visits);
            if (run.Next is not { } next)
            {
                step.Done.TrySetResult(new StageResult(new Activations(run.Terms.StepsAtOnce > 1 ? values.ToArray() : values), ComputeMicroseconds: all));
                return;
            }

            var rows = RowMessages.Write((WireFormat)run.Terms.Wire, values.Span, stage.HiddenSize);
            if (step.IsPassed)
                PassOn(run, new StagePass(request.Behind(), rows, all));
            else if (request.Returns)
                step.Done.TrySetResult(new StageResult(default, rows, all));
            else
                _ = SendAsync(step, next, new StageInput(request.Epoch, request.Number, rows), run);
        }
        catch (OperationCanceledException)
        {
            Fail(step, request, run, GrainErrors.Refuse(Code.Aborted, $"Step {request.Number} of stage {key} was given up: its run ended."));
        }
        catch (PipelineLostException error)
        {
            LogUnsent(logger, error, key, "its experts");
            Fail(step, request, run, GrainErrors.Refuse(Code.Unavailable, error.Message));
        }
        catch (ObjectDisposedException)
        {
            Fail(step, request, run, GrainErrors.Refuse(Code.Unavailable, $"Stage {key} holds no layers any more."));
        }
#pragma warning disable CA1031 // It is the step's.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogFailed(logger, error, key);
            Fail(step, request, run, error as StatusException ?? GrainErrors.Refuse(Code.Internal, $"{error.GetType().Name}: {error.Message}"));
        }
    }

    /// <summary>Tells who waits for the step: whoever called, or the owner through the stages behind.</summary>
    private void Fail(Step step, StageRequest request, Run run, StatusException error)
    {
        if (step.IsPassed && run.Next is not null)
            PassOn(run, new StagePass(request.Behind(), Failure: error.Status.ToByteArray()));
        else
            step.Done.TrySetException(error);
    }

    /// <summary>Computes a step; what it returns is the stage's memory, which the next step uses again.</summary>
    private ReadOnlyMemory<float> Compute(StageRequest request, WireRows? input, CancellationToken cancellationToken)
    {
        request.Fill(_batch);
        var values = ReadOnlyMemory<float>.Empty;
        if (input is not null)
        {
            var count = input.Rows * input.Width;
            if (_input.Length < count)
                _input = new float[count];
            input.Read(_input.AsSpan(0, count));
            values = _input.AsMemory(0, count);
        }

        return stage.Run(_batch, values, request.Hidden ? StepOutput.Hidden : StepOutput.Logits, cancellationToken);
    }

    /// <summary>Hands a step to the stage behind. If it gets lost, the owner notices.</summary>
    private void PassOn(Run run, StagePass pass)
    {
        var started = time.GetTimestamp();
        var (bytes, format) = (pass.Rows?.Payload.Length ?? 0, pass.Rows?.Format ?? 0);
        if (run.NextIsHere && stages.Find(run.Terms.Next!) is { } here)
            here.Pass(pass);
        else if (!TryPass(run, ref pass))
            _ = PassAsync(run, pass);
        run.Passed = pass.Request.Number + 1;
        if (pass.Failure is null)
            ClusterMetrics.Sent(spec.Model, spec.Stage, format, bytes, run.NextIsHere, run.NextIsHere ? time.GetElapsedTime(started) : null);
    }

    /// <summary>Over a direct connection. If that breaks under it, what is left to say is that the step is lost.</summary>
    private bool TryPass(Run run, ref StagePass pass)
    {
        try
        {
            return links.TryPass(run.NextSilo!, run.Terms.Next!, pass);
        }
        catch (IOException error)
        {
            LogUnsent(logger, error, key, run.Terms.Next!);
            pass = new StagePass(pass.Request, Failure: GrainErrors.Refuse(Code.Unavailable, $"Stage {key} could not pass step {pass.Request.Number} on: {error.Message}").Status.ToByteArray());
            return false;
        }
    }

    private async Task PassAsync(Run run, StagePass pass)
    {
        try
        {
            await run.Next!.PassAsync(pass);
        }
#pragma warning disable CA1031 // It is lost.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogUnsent(logger, error, key, run.Terms.Next!);
        }
    }

    private async Task SendAsync(Step step, IStageGrain next, StageInput input, Run run)
    {
        // The rows are gone once they are sent.
        var (bytes, format, started) = (input.Rows.Payload.Length, input.Rows.Format, time.GetTimestamp());
        try
        {
            if (run.NextIsHere && stages.Find(run.Terms.Next!) is { } here)
                here.Arrive(input.Epoch, input.Number, input.Rows);
            else
                await next.ReceiveAsync(input);
            ClusterMetrics.Sent(spec.Model, spec.Stage, format, bytes, run.NextIsHere, time.GetElapsedTime(started));
            step.Done.TrySetResult(new StageResult(default));
        }
        catch (StatusException error)
        {
            step.Done.TrySetException(error);
        }
#pragma warning disable CA1031 // Whatever went wrong, the next stage has not got it.
        catch (Exception error)
#pragma warning restore CA1031
        {
            LogUnsent(logger, error, key, run.Terms.Next!);
            step.Done.TrySetException(new StatusException(ErrorMap.Make(Code.Unavailable, $"Stage {key} cannot reach {run.Terms.Next}: {error.Message}", ErrorMap.Info(StageErrors.NextLost))));
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Stage {Stage} failed")]
    private static partial void LogFailed(ILogger logger, Exception error, string stage);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Stage {Stage} cannot reach {Next}")]
    private static partial void LogUnsent(ILogger logger, Exception error, string stage, string next);

    /// <summary>A run and its end.</summary>
    private sealed record Run(StageRun Terms, IStageGrain? Next, bool NextIsHere)
    {
        private long _passed;

        public CancellationTokenSource Ends { get; } = new();

        /// <summary>Where the stage behind is; null for the last one.</summary>
        public string? NextSilo { get; } = Terms.Next is null ? null : SiloKey.SiloOf(Terms.Next);

        /// <summary>Steps that have been passed on.</summary>
        public long Passed
        {
            get => Volatile.Read(ref _passed);
            set => Volatile.Write(ref _passed, value);
        }
    }

    /// <summary>A step of which something has come. Who awaits it goes on from the compute thread, and does little there.</summary>
    private sealed class Step
    {
        public StageRequest? Request { get; set; }

        public WireRows? Input { get; set; }

        /// <summary>Time that the stages before have computed.</summary>
        public long ComputeMicroseconds { get; set; }

        /// <summary>It came from the stage before, and nobody waits for it here.</summary>
        public bool IsPassed { get; set; }

        public TaskCompletionSource<StageResult> Done { get; } = new();
    }
}
