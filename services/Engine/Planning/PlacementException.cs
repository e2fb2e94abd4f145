namespace Slm.Engine.Planning;

/// <summary>Why there is no placement.</summary>
public enum PlacementFault
{
    /// <summary>The wish cannot be read, or is at odds with the model or with itself: the request is wrong.</summary>
    BadWish,

    /// <summary>A machine is named that is not there, or none has the labels that are asked for.</summary>
    UnknownMachine,

    /// <summary>Memory is missing.</summary>
    DoesNotFit,

    /// <summary>The description of machines or links is wrong.</summary>
    BadFleet,
}

/// <summary>There is no placement as wished. The message names field, value and remedy; where memory is missing, the machine and the bytes.</summary>
public sealed class PlacementException(PlacementFault fault, string message, string? machine = null, long missingBytes = 0) : Exception(message)
{
    /// <summary>What kind of fault it is.</summary>
    public PlacementFault Fault { get; } = fault;

    /// <summary>The machine concerned; null if there is no single one.</summary>
    public string? Machine { get; } = machine;

    /// <summary>Bytes that are missing there; 0 unless <see cref="PlacementFault.DoesNotFit"/>.</summary>
    public long MissingBytes { get; } = missingBytes;
}
