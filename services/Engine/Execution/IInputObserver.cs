namespace Slm.Engine.Execution;

/// <summary>Sees the inputs of every matrix product of a step, before it runs, on the thread that runs the step.</summary>
public interface IInputObserver
{
    /// <summary>Called once per matrix and step.</summary>
    /// <param name="tensor">Name of the weights in the file.</param>
    /// <param name="inputs">[rows, columns]; valid during the call.</param>
    /// <param name="columns">Values of a row.</param>
    /// <param name="matrix">Index of the matrix among those of the tensor: the expert.</param>
    /// <param name="matrices">Matrices of the tensor.</param>
    void Observe(string tensor, ReadOnlySpan<float> inputs, int columns, int matrix, int matrices);
}
