using Slm.Engine.Execution;
using Slm.Engine.Models;

namespace Slm.Engine.Experts;

/// <summary>A stage's way to the experts of several groups: sorts a layer's visits by who holds the expert, and calls the groups. One per stage.</summary>
internal sealed class ExpertFanOut
{
    private const int Here = -1;

    private readonly IExpertChannel _channel;
    private readonly int[] _owners;
    private readonly int[] _local;
    private readonly ExpertVisits[] _visits;
    private readonly IExpertCall?[] _calls;

    /// <exception cref="ArgumentException">An expert does not exist, or is held by nobody or by more than one.</exception>
    public ExpertFanOut(ModelConfig config, int maxTokens, RemoteExperts remote)
    {
        var experts = config.Experts ?? throw new ArgumentException($"A model of architecture '{config.Architecture}' without experts cannot have groups of them.", nameof(remote));
        _channel = remote.Channel;
        Local = remote.Local;
        _local = new int[remote.Local.Count];
        _owners = Owners(experts.Count, remote);
        _visits = [.. remote.Channel.Groups.Select(_ => new ExpertVisits(config.HiddenSize, maxTokens, experts.UsedCount))];
        _calls = new IExpertCall?[_visits.Length];
    }

    /// <summary>Experts that the stage holds itself.</summary>
    public ExpertSlice Local { get; }

    /// <summary>Sends every group its visits of a layer. Returns the visited experts that are held here, ascending.</summary>
    /// <exception cref="PipelineLostException">A group cannot be called.</exception>
    public ReadOnlySpan<int> Begin(int layer, ExpertBatch batch, CancellationToken cancellationToken)
    {
        foreach (var visits in _visits)
            visits.Clear(layer, batch);
        var local = 0;
        foreach (var expert in batch.Active)
        {
            if (_owners[expert] == Here)
                _local[local++] = expert;
            else
                _visits[_owners[expert]].Add(expert);
        }

        for (var group = 0; group < _visits.Length; group++)
        {
            if (_visits[group].Count == 0)
                continue;
            try
            {
                _calls[group] = _channel.Begin(group, _visits[group], cancellationToken);
            }
            catch (Exception error) when (!IsEnd(error, cancellationToken))
            {
                throw Lost(group, error);
            }
        }

        return _local.AsSpan(0, local);
    }

    /// <summary>Waits for all groups, whose results are then in <see cref="ExpertBatch.Outputs"/>.</summary>
    /// <exception cref="PipelineLostException">A group has failed.</exception>
    public void Finish(CancellationToken cancellationToken)
    {
        for (var group = 0; group < _calls.Length; group++)
        {
            try
            {
                _calls[group]?.Finish();
            }
            catch (Exception error) when (!IsEnd(error, cancellationToken))
            {
                throw Lost(group, error);
            }
        }
    }

    /// <summary>Gives up what has not finished.</summary>
    public void End()
    {
        for (var group = 0; group < _calls.Length; group++)
        {
            _calls[group]?.Dispose();
            _calls[group] = null;
        }
    }

    private static bool IsEnd(Exception error, CancellationToken cancellationToken) =>
        error is PipelineLostException || (error is OperationCanceledException && cancellationToken.IsCancellationRequested);

    private PipelineLostException Lost(int group, Exception error) =>
        new($"The group of experts {_channel.Groups[group]} did not compute layer {_visits[group].Layer}: {error.Message}", error);

    private static int[] Owners(int count, RemoteExperts remote)
    {
        const int Nobody = -2;
        var owners = Enumerable.Repeat(Nobody, count).ToArray();
        void Take(ExpertSlice slice, int owner)
        {
            foreach (var expert in slice.Experts)
            {
                if (expert >= count)
                    throw new ArgumentException($"{Name(owner)} holds expert {expert}, but the model has {count}, from 0.", nameof(remote));
                if (owners[expert] != Nobody)
                    throw new ArgumentException($"{Name(owner)} holds expert {expert}, which {Name(owners[expert]).ToLowerInvariant()} holds as well; exactly one must.", nameof(remote));
                owners[expert] = owner;
            }
        }

        Take(remote.Local, Here);
        for (var group = 0; group < remote.Channel.Groups.Count; group++)
            Take(remote.Channel.Groups[group], group);
        var left = Array.IndexOf(owners, Nobody);
        return left < 0 ? owners : throw new ArgumentException($"No group holds expert {left} of {count}, nor does the stage; exactly one must.", nameof(remote));
    }

    private static string Name(int owner) => owner == Here ? "The stage" : $"Group {owner}";
}
