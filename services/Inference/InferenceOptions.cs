using System.Globalization;
using Slm.Engine.Execution;
using Slm.Engine.Speculation;
using Slm.Inference.Engines;
using Slm.ServiceDefaults;

namespace Slm.Inference;

/// <summary>Settings of the inference service, section <c>Slm:Inference</c>.</summary>
public sealed record InferenceOptions
{
    /// <summary>Threads that compute; default one per processor.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Most memory for keys and values per model, where a load request does not say; default 1 GiB.</summary>
    public long KvCacheBytes { get; init; } = 1L << 30;

    /// <summary>What keys and values are kept as where a load request does not say; null (default): what suits the model.</summary>
    public KvType? KvType { get; init; }

    /// <summary>
    /// Most memory for the experts of a mixture, which are then read from the file when tokens visit them; null (default): all of
    /// them stay in memory. Bytes, or such as 512MiB.
    /// </summary>
    public long? ExpertMemory { get; init; }

    /// <summary>Sequences a model works on at a time; default 64.</summary>
    public int MaxRunning { get; init; } = 64;

    /// <summary>Requests that may wait for a model; more are refused with RESOURCE_EXHAUSTED. Default 256.</summary>
    public int MaxWaiting { get; init; } = 256;

    /// <summary>Most tokens a step may carry; default 512.</summary>
    public int MaxStepTokens { get; init; } = 512;

    /// <summary>Most prompt tokens per step while answers are being generated, so that they go on evenly; default 64.</summary>
    public int ChunkTokens { get; init; } = 64;

    /// <summary>Use what has been computed for requests that begin alike, while there is memory; default true.</summary>
    public bool PrefixSharing { get; init; } = true;

    /// <summary>Who proposes tokens where neither request nor deployment says: none (default) or ngram.</summary>
    public SpeculationKind Speculation { get; init; }

    /// <summary>How long unloading lets running requests go on; default 120 s.</summary>
    public int DrainSeconds { get; init; } = 120;

    /// <summary>What placements call this process; default the machine's name and the silo's port.</summary>
    public string? SiloName { get; init; }

    /// <summary>What placements may ask for, subsection <c>Labels</c>, such as <c>Labels:zone</c> = a.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>();

    /// <summary>When a part of a model on another silo counts as lost: subsection <c>Loss</c>, in milliseconds.</summary>
    internal PipelineOptions Pipeline { get; init; } = new();

    /// <summary>Show Orleans' dashboard at <c>/orleans</c>; default false, because it measures every call of a grain.</summary>
    public bool Dashboard { get; init; }

    /// <summary>Port of the silo for other silos; 0 (default) takes a free one. Ignored where an <c>Orleans</c> section names a clustering.</summary>
    public int SiloPort { get; init; }

    /// <summary>Port of the silo for Orleans clients; 0 (default): none.</summary>
    public int SiloGatewayPort { get; init; }

    /// <summary>Send steps and visits to experts over connections of their own, which is faster than Orleans' messages; default true.</summary>
    public bool Direct { get; init; } = true;

    /// <summary>Port of those connections; 0 (default) takes a free one.</summary>
    public int DirectPort { get; init; }

    /// <summary>Reads and checks the section.</summary>
    /// <exception cref="OptionException">A value is not usable.</exception>
    public static InferenceOptions From(IConfiguration configuration)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        var section = configuration.GetSection("Slm:Inference");
        var defaults = new InferenceOptions();
        return new InferenceOptions
        {
            Threads = (int)Read("Threads", defaults.Threads, 1, 1024),
            KvCacheBytes = Read("KvCacheBytes", defaults.KvCacheBytes, 1 << 16, 1L << 50),
            KvType = ReadKvType(),
            ExpertMemory = ReadSize("ExpertMemory"),
            MaxRunning = (int)Read("MaxRunning", defaults.MaxRunning, 1, 4096),
            MaxWaiting = (int)Read("MaxWaiting", defaults.MaxWaiting, 0, 1_000_000),
            MaxStepTokens = (int)Read("MaxStepTokens", defaults.MaxStepTokens, 1, 65_536),
            ChunkTokens = (int)Read("ChunkTokens", defaults.ChunkTokens, 1, 65_536),
            PrefixSharing = ReadSwitch("PrefixSharing", defaults.PrefixSharing),
            Speculation = ReadSpeculation(defaults.Speculation),
            DrainSeconds = (int)Read("DrainSeconds", defaults.DrainSeconds, 0, 86_400),
            SiloName = string.IsNullOrWhiteSpace(section["SiloName"]) ? null : CheckName(section["SiloName"]!),
            Labels = section.GetSection("Labels").GetChildren().ToDictionary(l => l.Key, l => l.Value ?? "", StringComparer.Ordinal),
            Pipeline = new PipelineOptions
            {
                AskAfter = TimeSpan.FromMilliseconds(Read("Loss:AskAfterMs", (long)defaults.Pipeline.AskAfter.TotalMilliseconds, 10, 600_000)),
                LostAfter = TimeSpan.FromMilliseconds(Read("Loss:LostAfterMs", (long)defaults.Pipeline.LostAfter.TotalMilliseconds, 100, 600_000)),
                Lease = TimeSpan.FromMilliseconds(Read("Loss:LeaseMs", (long)defaults.Pipeline.Lease.TotalMilliseconds, 4_000, 86_400_000)),
                Avoid = TimeSpan.FromMilliseconds(Read("Loss:AvoidMs", (long)defaults.Pipeline.Avoid.TotalMilliseconds, 0, 86_400_000)),
            },
            Dashboard = ReadSwitch("Dashboard", defaults.Dashboard),
            SiloPort = (int)Read("SiloPort", defaults.SiloPort, 0, 65_535),
            SiloGatewayPort = (int)Read("SiloGatewayPort", defaults.SiloGatewayPort, 0, 65_535),
            Direct = ReadSwitch("Direct", defaults.Direct),
            DirectPort = (int)Read("DirectPort", defaults.DirectPort, 0, 65_535),
        };

        static string CheckName(string name) => name.Any(c => char.IsWhiteSpace(c) || char.IsControl(c) || ",;|@=".Contains(c, StringComparison.Ordinal))
            ? throw new OptionException("Slm:Inference:SiloName", name, "be a name without blanks and , ; | @ =")
            : name;

        SpeculationKind ReadSpeculation(SpeculationKind fallback) => section["Speculation"] switch
        {
            null or "" => fallback,
            "none" => SpeculationKind.None,
            "ngram" => SpeculationKind.NGram,
            var text => throw new OptionException("Slm:Inference:Speculation", text, "be none or ngram"),
        };

        KvType? ReadKvType() => section["KvType"] switch
        {
            null or "" => null,
            "f32" => Engine.Execution.KvType.F32,
            "q16" => Engine.Execution.KvType.Q16,
            "q8" => Engine.Execution.KvType.Q8,
            var text => throw new OptionException("Slm:Inference:KvType", text, "be f32, q16 or q8"),
        };

        long? ReadSize(string name)
        {
            var text = section[name];
            if (string.IsNullOrWhiteSpace(text))
                return null;
            return ByteSize.TryParse(text, out var bytes) ? bytes : throw new OptionException($"Slm:Inference:{name}", text, $"be {ByteSize.Rule}");
        }

        bool ReadSwitch(string name, bool fallback)
        {
            var text = section[name];
            if (string.IsNullOrWhiteSpace(text))
                return fallback;
            return bool.TryParse(text, out var value) ? value : throw new OptionException($"Slm:Inference:{name}", text, "be true or false");
        }

        long Read(string name, long fallback, long least, long most)
        {
            var text = section[name];
            if (string.IsNullOrWhiteSpace(text))
                return fallback;
            return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most
                ? value
                : throw new OptionException($"Slm:Inference:{name}", text, string.Create(CultureInfo.InvariantCulture, $"be a number in {least} to {most}"));
        }
    }
}
