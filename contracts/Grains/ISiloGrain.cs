namespace Slm.Contracts.Grains;

/// <summary>A silo about itself (<see cref="SiloKey"/>, with <see cref="Name"/>).</summary>
[Alias("slm.silo")]
public interface ISiloGrain : IGrainWithStringKey
{
    /// <summary>Name of the grain in its key.</summary>
    const string Name = "silo";

    /// <summary>What it is, can do, and has room for.</summary>
    [Alias("get"), ResponseTimeout("00:00:20")]
    Task<SiloInfo> GetAsync();

    /// <summary>Measures the way to another silo; what was measured within the last minutes is returned as it is.</summary>
    [Alias("measure"), ResponseTimeout("00:00:20")]
    Task<SiloLink> MeasureAsync(string silo);

    /// <summary>Measures its machine again, and forgets what it knows of the ways to others.</summary>
    [Alias("measure-speed"), ResponseTimeout("00:00:20")]
    Task<SiloInfo> MeasureSpeedAsync();

    /// <summary>Returns what it got, for the measurement.</summary>
    [Alias("echo"), ResponseTimeout("00:00:10")]
    Task<byte[]> EchoAsync(byte[] bytes);

    /// <summary>Takes no more work, or takes it again.</summary>
    [Alias("drain"), ResponseTimeout("00:00:10")]
    Task<SiloInfo> DrainAsync(bool draining);
}

/// <summary>A silo.</summary>
/// <param name="Silo">Parsable address.</param>
/// <param name="Name">What placements call it.</param>
/// <param name="Host">Silos of one machine have the same.</param>
/// <param name="Threads">Threads that compute.</param>
/// <param name="FreeMemoryBytes">What it may take.</param>
/// <param name="ReadBytesPerSecond">Measured bandwidth of memory, all threads.</param>
/// <param name="MultiplyAddsPerSecond">Measured speed of products of 8-bit integers, all threads.</param>
/// <param name="Numerics">The arithmetic: silos with another one must not compute parts of one model.</param>
/// <param name="Kernels">The instructions it uses.</param>
/// <param name="Labels">What its configuration says of it.</param>
/// <param name="Draining">It takes no more work.</param>
/// <param name="Parts">What it holds.</param>
/// <param name="HostFreeMemoryBytes">What all silos of its machine may take together.</param>
/// <param name="Models">Names of the models in its folders.</param>
/// <param name="FloatMultiplyAddsPerSecond">Measured speed of products of floats, all threads.</param>
/// <param name="StepSeconds">Measured time of handing a step to its threads and back.</param>
/// <param name="HostProcessors">Processors of the machine that this process may use; 0: not known.</param>
/// <param name="Direct">Address and port of its direct connections, such as "10.0.0.2:40123"; null if it has none.</param>
/// <param name="LayerSeconds">Of kinds of models that it has run: what a layer takes in every step beyond what the measured speed explains.</param>
/// <param name="TurnSeconds">Of kinds of models that it has coordinated: from the end of a step to the beginning of the next.</param>
[GenerateSerializer, Immutable, Alias("slm.silo-info")]
public sealed record SiloInfo(
    [property: Id(0)] string Silo,
    [property: Id(1)] string Name,
    [property: Id(2)] string Host,
    [property: Id(3)] int Threads,
    [property: Id(4)] long FreeMemoryBytes,
    [property: Id(5)] double ReadBytesPerSecond,
    [property: Id(6)] double MultiplyAddsPerSecond,
    [property: Id(7)] string Numerics,
    [property: Id(8)] string Kernels,
    [property: Id(9)] Dictionary<string, string> Labels,
    [property: Id(10)] bool Draining,
    [property: Id(11)] SiloPart[] Parts,
    [property: Id(12)] long HostFreeMemoryBytes,
    [property: Id(13)] string[] Models,
    [property: Id(14)] double FloatMultiplyAddsPerSecond,
    [property: Id(15)] double StepSeconds,
    [property: Id(16)] int HostProcessors,
    [property: Id(17)] string? Direct = null,
    [property: Id(18)] Dictionary<string, double>? LayerSeconds = null,
    [property: Id(19)] Dictionary<string, double>? TurnSeconds = null);

/// <summary>A part of a model on a silo.</summary>
/// <param name="Model">The model.</param>
/// <param name="Replica">Which copy of it.</param>
/// <param name="Part">Such as "stage 0, layers 0-7".</param>
/// <param name="WeightBytes">Bytes of its weights.</param>
/// <param name="StateBytes">Bytes it has taken for keys, values and recurrent state.</param>
[GenerateSerializer, Immutable, Alias("slm.silo-part")]
public sealed record SiloPart(
    [property: Id(0)] string Model,
    [property: Id(1)] int Replica,
    [property: Id(2)] string Part,
    [property: Id(3)] long WeightBytes,
    [property: Id(4)] long StateBytes);

/// <summary>The way from one silo to another.</summary>
/// <param name="From">Parsable address.</param>
/// <param name="To">Parsable address.</param>
/// <param name="LatencySeconds">One way, software included.</param>
/// <param name="BytesPerSecond">Large messages.</param>
/// <param name="BusyLatencySeconds">Latency where messages follow each other closely; null if that was not measured.</param>
[GenerateSerializer, Immutable, Alias("slm.silo-link")]
public sealed record SiloLink(
    [property: Id(0)] string From,
    [property: Id(1)] string To,
    [property: Id(2)] double LatencySeconds,
    [property: Id(3)] double BytesPerSecond,
    [property: Id(4)] double? BusyLatencySeconds = null);
