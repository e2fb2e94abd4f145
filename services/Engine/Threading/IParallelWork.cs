namespace Slm.Engine.Threading;

/// <summary>
/// Work that splits into independent parts. Implement it as a struct; which thread runs which part is not determined,
/// so a result must never depend on it.
/// </summary>
public interface IParallelWork
{
    /// <summary>Runs one part.</summary>
    /// <param name="part">Index of the part.</param>
    /// <param name="worker">Index of the running thread, 0 (the caller) to threads - 1: for per-thread scratch memory.</param>
    void Execute(int part, int worker);
}
