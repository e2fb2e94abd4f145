namespace Slm.Engine.Experts;

/// <summary>Matrices to read, first in first out. Its user locks.</summary>
internal sealed class ExpertQueue(int slots)
{
    private readonly (int Slot, int Part)[] _jobs = new (int, int)[slots * StoredLayer.Parts];
    private int _first, _count;

    /// <summary>Appends the matrices of a slot that has none here.</summary>
    public void Add(int slot)
    {
        for (var part = 0; part < StoredLayer.Parts; part++)
            _jobs[(_first + _count++) % _jobs.Length] = (slot, part);
    }

    /// <summary>The next one; false if there is none.</summary>
    public bool TryTake(out int slot, out int part)
    {
        (slot, part) = _jobs[_first];
        if (_count == 0)
            return false;
        _first = (_first + 1) % _jobs.Length;
        _count--;
        return true;
    }
}
