using System.Buffers;
using Google.Rpc;
using Slm.Contracts.Grains;
using Slm.Engine.Experts;
using Slm.Engine.Wire;
using Slm.Inference.Grains;

namespace Slm.Inference.Engines;

/// <summary>A loaded group of experts at work: computes visits on the thread that asks; callers take turns.</summary>
/// <param name="key">Key of the group's grain.</param>
/// <param name="model">Name of the model.</param>
/// <param name="group">The experts.</param>
/// <param name="heard">Told of every word from outside.</param>
/// <param name="logger">Log.</param>
internal sealed partial class ExpertGroupRunner(string key, string model, ExpertGroup group, Action heard, ILogger logger) : ISiloRunner
{
    private readonly string _experts = group.Slice.ToString();

    /// <summary>Key of the group's grain.</summary>
    public string Key => key;

    /// <inheritdoc/>
    public string Model => model;

    /// <summary>What callers of a group that holds nothing get.</summary>
    public static StatusException Gone(string key) => GrainErrors.Refuse(Code.Unavailable, $"Group {key} holds no experts any more.");

    /// <summary>Computes a layer's visits.</summary>
    /// <exception cref="StatusException">INVALID_ARGUMENT if the group cannot compute them, UNAVAILABLE if it is freed, else INTERNAL.</exception>
    public ExpertResult Forward(ExpertRequest request)
    {
        heard();
        try
        {
            var received = request.Rows.Payload.Length;
            var (format, visits) = ((WireFormat)request.ResultFormat, request.VisitRows.Length);
            var bytes = checked((int)RowEncoding.PayloadBytes(format, visits, group.Width));
            var buffer = ArrayPool<byte>.Shared.Rent(bytes);
            var scaled = group.Forward(request.Layer, request.Rows.Open(), request.VisitRows, request.VisitExperts, format, buffer.AsSpan(0, bytes));
            request.Rows.Release();
            ClusterMetrics.Visited(model, _experts, visits, request.ResultFormat, received + bytes);
            return new ExpertResult(new WireRows(visits, group.Width, (int)format, scaled, buffer, bytes));
        }
        catch (ObjectDisposedException)
        {
            throw Gone(key);
        }
        catch (ArgumentException error)
        {
            throw GrainErrors.Refuse(Code.InvalidArgument, error.Message);
        }
        catch (Exception error) when (error is not StatusException)
        {
            LogFailed(logger, error, key);
            throw GrainErrors.Refuse(Code.Internal, $"{error.GetType().Name}: {error.Message}");
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Group of experts {Group} failed")]
    private static partial void LogFailed(ILogger logger, Exception error, string group);
}
