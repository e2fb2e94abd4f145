namespace Slm.Engine.Experts;

/// <summary>Slots waiting to be filled, first in first out; what a step waits for comes before what was asked for ahead. Its user locks.</summary>
internal sealed class ExpertQueue(int slots)
{
    private readonly Ring _wanted = new(slots);
    private readonly Ring _ahead = new(slots);

    /// <summary>Appends a slot's matrices.</summary>
    public void Add(int slot, bool ahead)
    {
        var ring = ahead ? _ahead : _wanted;
        for (var part = 0; part < StoredLayer.Parts; part++)
            ring.Add((slot, part));
    }

    /// <summary>Moves what is left of a slot read ahead to the end of what is waited for.</summary>
    public void Hasten(int slot)
    {
        for (var left = _ahead.Count; left > 0; left--)
        {
            var job = _ahead.Take();
            (job.Slot == slot ? _wanted : _ahead).Add(job);
        }
    }

    /// <summary>Takes a slot read ahead out again; false, and nothing is changed, if one of its matrices has been begun.</summary>
    public bool Withdraw(int slot)
    {
        if (_ahead.Occurrences(slot) < StoredLayer.Parts)
            return false;
        for (var left = _ahead.Count; left > 0; left--)
        {
            var job = _ahead.Take();
            if (job.Slot != slot)
                _ahead.Add(job);
        }

        return true;
    }

    /// <summary>The next matrix to read.</summary>
    public bool TryTake(out int slot, out int part)
    {
        var ring = _wanted.Count > 0 ? _wanted : _ahead;
        if (ring.Count == 0)
        {
            (slot, part) = (ExpertSlots.None, 0);
            return false;
        }

        (slot, part) = ring.Take();
        return true;
    }

    private sealed class Ring(int slots)
    {
        private readonly (int Slot, int Part)[] _jobs = new (int, int)[slots * StoredLayer.Parts];
        private int _first;

        public int Count { get; private set; }

        public int Occurrences(int slot)
        {
            var found = 0;
            for (var i = 0; i < Count; i++)
                found += _jobs[(_first + i) % _jobs.Length].Slot == slot ? 1 : 0;
            return found;
        }

        public void Add((int Slot, int Part) job) => _jobs[(_first + Count++) % _jobs.Length] = job;

        public (int Slot, int Part) Take()
        {
            var job = _jobs[_first];
            _first = (_first + 1) % _jobs.Length;
            Count--;
            return job;
        }
    }
}
