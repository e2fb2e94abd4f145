using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Slm.Training.Configuration;
using Slm.Training.Data;
using Slm.Training.Kernels;
using Slm.Training.Model;
using Slm.Training.Optimization;
using TorchSharp;

namespace Slm.Training.Pretraining;

/// <summary>The loss or gradient stopped being a number.</summary>
public sealed class DivergedException(int step, string? lastCheckpoint)
    : Exception($"The loss or its gradient is not finite at step {step}. " + (lastCheckpoint is null ? "There is no checkpoint before it." : $"The last good checkpoint is {lastCheckpoint}."))
{
    /// <summary>Step whose update was not applied.</summary>
    public int Step { get; } = step;

    /// <summary>Path of the newest checkpoint, or null.</summary>
    public string? LastCheckpoint { get; } = lastCheckpoint;
}

/// <summary>What a run reports after a step.</summary>
/// <param name="Step">Updates done.</param>
/// <param name="TotalSteps">Updates in all, as known now.</param>
/// <param name="Tokens">Target tokens so far.</param>
/// <param name="Loss">Training loss of the step, nats a token.</param>
/// <param name="LearningRate">η of the step.</param>
/// <param name="GradientNorm">Before clipping.</param>
/// <param name="TokensPerSecond">Over the last steps.</param>
/// <param name="SecondsLeft">Estimate to the end.</param>
/// <param name="Validation">Validation loss where this step ended with one.</param>
public sealed record StepReport(int Step, int TotalSteps, long Tokens, double Loss, double LearningRate, double GradientNorm, double TokensPerSecond, double SecondsLeft, double? Validation);

/// <summary>Pretraining: steps of batches under the schedule, with validations and checkpoints.</summary>
/// <remarks>
/// A step's batches are computed by any thread in any order, but their gradients are added in the order of the batches:
/// the result is a function of the configuration alone, and a resumed run gives the same bits.
/// </remarks>
internal sealed class PretrainRun<T> : IDisposable
    where T : struct, IStorage
{
    private readonly TrainingConfig _training;
    private readonly ParameterLayout _layout;
    private readonly BatchSequence _batches;
    private readonly List<PackedBatch> _validation;
    private readonly WeightSet<T> _weights;
    private readonly AdamW<T> _optimizer;
    private readonly GradientWorker<T>[] _workers;
    private readonly GradientSlot<T>[] _slots;
    private readonly string? _folder;
    private double _secondsAtStart;
    private Stopwatch _clock = Stopwatch.StartNew();
    private double _secondsPerStep;
    private string? _lastCheckpoint;

    /// <param name="config">The run.</param>
    /// <param name="train">Documents to train on.</param>
    /// <param name="validation">Documents held out.</param>
    /// <param name="folder">Where checkpoints go, or null for none.</param>
    /// <exception cref="Engine.Formats.ModelFormatException">The model to start from is none that can be trained further.</exception>
    public PretrainRun(PretrainConfig config, TokenStore train, TokenStore validation, string? folder)
    {
        (_training, _folder) = (config.Training, folder);
        _layout = new ParameterLayout(config.Model);
        var micro = _training.MicroBatchTokens;
        _batches = new BatchSequence(train, micro, config.Model.ContextLength, config.Seed);
        _validation = [.. new BatchSequence(validation, micro, config.Model.ContextLength, config.Seed, shuffle: false).WholeEpoch()];
        _weights = new WeightSet<T>(_layout);
        _optimizer = new AdamW<T>(_layout, _training.Optimizer);
        var threads = _training.Threads > 0 ? _training.Threads : Environment.ProcessorCount;
        _slots = [.. Enumerable.Range(0, _training.BatchTokens / micro).Select(_ => new GradientSlot<T>(_layout))];
        _workers = [.. Enumerable.Range(0, Math.Min(threads, _slots.Length)).Select(_ => new GradientWorker<T>(_layout, micro))];
        if (config.StartFrom is { } path)
        {
            using var start = StartingModel.Open(path);
            start.CopyTo(_layout, _weights.Values);
        }
        else
        {
            _layout.Initialize(_weights.Values, config.Seed);
        }

        _weights.Refresh();
        State = new RunState { ConfigHash = Hash(config) };
        PlanDecay();
    }

    /// <summary>Where the run stands.</summary>
    public RunState State { get; private set; }

    /// <summary>The F32 weights, flat.</summary>
    public Span<float> Weights => _weights.Values;

    /// <summary>Names, shapes and places of the weights.</summary>
    public ParameterLayout Layout => _layout;

    /// <summary>Epoch of the last batch, from 0.</summary>
    public int Epoch => _batches.Epoch;

    /// <summary>The schedule as known now.</summary>
    public WsdSchedule Schedule => new(_training.PeakLearningRate, _training.WarmupSteps, State.DecayStart, State.DecaySteps, _training.Decay, _training.FinalRatio);

    /// <summary>
    /// Takes up the run a checkpoint holds. Tokens and time may have been changed in the configuration: as long as the
    /// decay has not begun, it is planned anew.
    /// </summary>
    /// <exception cref="InvalidDataException">The checkpoint is of another model, corpus or optimization.</exception>
    public void Resume(string path)
    {
        var hash = State.ConfigHash;
        State = Checkpoint.Load(path, _weights.Values, _optimizer.First, _optimizer.Second);
        if (State.ConfigHash != hash)
            throw new InvalidDataException($"{path} is of a run with another seed, data, tokenizer, model or optimization; start a new one in another folder.");
        if (!State.DecayFixed && State.Step < State.DecayStart)
            PlanDecay();
        _weights.Refresh();
        _secondsAtStart = State.Seconds;
        _clock = Stopwatch.StartNew();
        _lastCheckpoint = path;
    }

    /// <summary>Writes a checkpoint and returns its path.</summary>
    public string Save(string name)
    {
        State.Seconds = _secondsAtStart + _clock.Elapsed.TotalSeconds;
        var path = Path.Combine(_folder ?? throw new InvalidOperationException("The run has no folder."), name);
        Checkpoint.Save(path, State, _weights.Values, _optimizer.First, _optimizer.Second);
        return _lastCheckpoint = path;
    }

    /// <summary>Trains to the end, to <paramref name="lastStep"/>, or until cancelled; a step is never left half done.</summary>
    /// <returns>True when the run is complete.</returns>
    public bool Run(Action<StepReport> report, CancellationToken cancellationToken, int lastStep = int.MaxValue)
    {
        var saved = _clock.Elapsed.TotalMinutes;
        while (State.Step < Schedule.TotalSteps && State.Step < lastStep)
        {
            if (cancellationToken.IsCancellationRequested)
                return false;
            var began = Stopwatch.GetTimestamp();
            var (loss, norm, tokens) = Step();
            var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            _secondsPerStep = _secondsPerStep == 0 ? seconds : 0.95 * _secondsPerStep + 0.05 * seconds;
            double? validation = null;
            var end = Schedule.TotalSteps;
            if (State.Step % _training.EvaluateEvery == 0 || State.Step == end)
                validation = Validate();
            if (State.Step % 10 == 0 || validation is not null || State.Step == 1)
                State.Curve.Add(new LossPoint(State.Step, State.Tokens, loss, validation));
            FixDecay();
            report(new StepReport(State.Step, Schedule.TotalSteps, State.Tokens, loss, Schedule.At(State.Step), norm, tokens / _secondsPerStep, _secondsPerStep * (Schedule.TotalSteps - State.Step), validation));
            if (_folder is not null && _clock.Elapsed.TotalMinutes - saved >= _training.CheckpointMinutes)
            {
                Save(State.Step <= State.DecayStart ? "stable.ckpt" : "decay.ckpt");
                saved = _clock.Elapsed.TotalMinutes;
            }
        }

        return State.Step >= Schedule.TotalSteps;
    }

    /// <summary>Mean validation loss, nats a token.</summary>
    public double Validate()
    {
        var losses = new double[_validation.Count];
        Each(_validation.Count, (worker, i) => losses[i] = worker.Loss(_validation[i], _weights));
        return losses.Sum() / _validation.Sum(b => (long)b.TargetCount);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var worker in _workers)
            worker.Dispose();
        foreach (var slot in _slots)
            slot.Dispose();
        _weights.Dispose();
    }

    private (double Loss, double Norm, int Tokens) Step()
    {
        var step = State.Step + 1;
        var batches = new PackedBatch[_slots.Length];
        for (var i = 0; i < batches.Length; i++)
            batches[i] = _batches[(long)State.Step * _slots.Length + i];
        var targets = batches.Sum(b => b.TargetCount);
        var losses = new double[_slots.Length];
        Each(_slots.Length, (worker, i) => losses[i] = worker.Run(batches[i], _weights, _slots[i], 1f / targets));
        var loss = losses.Sum() / targets;
        if (!double.IsFinite(loss))
            throw new DivergedException(step, _lastCheckpoint);
        var norm = _optimizer.Step(_weights, _slots, step, Schedule.At(step), _workers.Length);
        if (!double.IsFinite(norm))
            throw new DivergedException(step, _lastCheckpoint);
        State.Step = step;
        State.Tokens += targets;
        return (loss, norm, targets);
    }

    /// <summary>Runs work on every index: each worker takes the next one when it is free.</summary>
    private void Each(int count, Action<GradientWorker<T>, int> work)
    {
        var next = -1;
        void Take(int w)
        {
            torch.set_num_threads(1); // Of this thread: parallelism is over batches.
            for (int i; (i = Interlocked.Increment(ref next)) < count;)
                work(_workers[w], i);
        }

        Parallel.For(0, _workers.Length, new ParallelOptions { MaxDegreeOfParallelism = _workers.Length }, Take);
    }

    private void PlanDecay()
    {
        var steps = (int)Math.Max(1, _training.Tokens / _training.BatchTokens);
        State.DecaySteps = (int)Math.Round(steps * _training.DecayFraction);
        State.DecayStart = Math.Max(State.Step, steps - State.DecaySteps);
    }

    /// <summary>Hash of what a resumed run must share with its beginning for the checkpoint to mean the same.</summary>
    private static string Hash(PretrainConfig config)
    {
        var t = config.Training;
        var json = JsonSerializer.Serialize(new { config.Seed, config.StartFrom, config.Data, config.Tokenizer, config.Model, t.BatchTokens, t.MicroBatchTokens, t.Precision, t.PeakLearningRate, t.WarmupSteps, t.Decay, t.FinalRatio, t.Optimizer });
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(json)));
    }

    /// <summary>With a time budget: starts the decay when what is left just suffices for it.</summary>
    private void FixDecay()
    {
        if (State.DecayFixed || _training.MaxMinutes <= 0)
            return;
        if (State.Step >= State.DecayStart)
        {
            State.DecayFixed = true;
            return;
        }

        var fraction = _training.DecayFraction;
        var decaySteps = Math.Max(1, (int)Math.Round(State.Step * fraction / (1 - fraction)));
        var left = _training.MaxMinutes * 60 - _secondsAtStart - _clock.Elapsed.TotalSeconds;
        if (decaySteps * _secondsPerStep * 1.03 < left)
            return;
        (State.DecayStart, State.DecaySteps, State.DecayFixed) = (State.Step, decaySteps, true);
    }
}
