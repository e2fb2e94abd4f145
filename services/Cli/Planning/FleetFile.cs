using System.Globalization;
using Slm.Engine.Planning;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Slm.Cli.Planning;

/// <summary>Reads machines and links from YAML.</summary>
internal static class FleetFile
{
    /// <summary>What a file looks like, for the command's help.</summary>
    public const string Form = """
        machines:
          - name: big                    # with a count: big-1, big-2, …
            count: 500                   # default 1
            memory: 32GiB                # that the model may take
            read_per_s: 40GB             # from memory, all threads; 'slm plan' without --machines measures it
            multiply_adds_per_s: 6e11    # int8 kernels, all threads
            float_multiply_adds_per_s: 1e11   # default an eighth of that
            threads: 16                  # default 1
            host: rack1                  # default its own name; equal hosts share processors and bandwidth
            host_processors: 64          # with one for every thread of its machines, these do not wait for each other; default they do
            layer_ms: 0.05               # what a layer takes in every step beyond reading and multiplying; default 0
            turn_ms: 0.5                 # from the end of a step to the beginning of the next, where it has the last stage; default 0
            step_ms: 0.1                 # from handing a step to the compute thread until all threads work on it, and back; default 0
            host_memory: 64GiB           # that all silos of the host may take together; default no such limit
            labels: { zone: a }          # for --placement label:zone=a
        links:                           # all optional
          hop_ms: 0.06                   # software of one message
          default: { latency_ms: 0.1, bytes_per_s: 125MB }
          local: { latency_ms: 0.02, bytes_per_s: 2GB }    # between silos of one host
          between:
            - { from: big-1, to: big-2, latency_ms: 0.02, bytes_per_s: 10GB }
        """;

    private const int MostMachines = 100_000;

    /// <summary>Reads a file.</summary>
    /// <exception cref="CliException">It is missing, no YAML, or has fields that are missing, unknown or out of range.</exception>
    public static Fleet Read(string path)
    {
        if (!File.Exists(path))
            throw new CliException($"--machines: the file '{path}' does not exist. 'slm plan --help' shows one.");
        var stream = new YamlStream();
        try
        {
            using var reader = File.OpenText(path);
            stream.Load(reader);
        }
        catch (YamlException error)
        {
            throw new CliException($"--machines: '{path}' is no YAML: line {error.Start.Line}: {error.Message}", error);
        }

        if (stream.Documents.Count != 1)
            throw new CliException($"--machines: '{path}' holds {stream.Documents.Count} documents. Give one; 'slm plan --help' shows it.");
        var root = new YamlFields(stream.Documents[0].RootNode, "");
        var machines = new List<MachineSpec>();
        foreach (var fields in root.List("machines"))
            machines.AddRange(Machines(fields, MostMachines - machines.Count));
        var links = root.Section("links");
        root.RefuseOthers();
        return Link(machines, links);
    }

    private static IEnumerable<MachineSpec> Machines(YamlFields fields, int most)
    {
        var name = fields.Text("name");
        var counted = fields.OptionalText("count") is not null;
        var count = fields.Whole("count", 1, Math.Max(1, most));
        var host = fields.OptionalText("host");
        var machine = new MachineSpec
        {
            Name = name,
            HostId = host ?? name,
            Threads = fields.Whole("threads", 1, 1 << 16),
            FreeMemoryBytes = fields.RequiredSize("memory"),
            HostFreeMemoryBytes = fields.Size("host_memory"),
            HostProcessors = fields.OptionalText("host_processors") is null ? null : fields.Whole("host_processors", 1, 1 << 16),
            StepSeconds = fields.Number("step_ms", 0) / 1e3,
            TurnSeconds = fields.Number("turn_ms", 0) / 1e3,
            LayerSeconds = fields.Number("layer_ms", 0) / 1e3,
            ReadBytesPerSecond = fields.RequiredSize("read_per_s"),
            MultiplyAddsPerSecond = fields.Number("multiply_adds_per_s"),
            FloatMultiplyAddsPerSecond = fields.OptionalText("float_multiply_adds_per_s") is null ? null : fields.Number("float_multiply_adds_per_s"),
            Labels = fields.Section("labels")?.Texts() ?? new Dictionary<string, string>(),
        };
        fields.RefuseOthers();
        return counted
            ? Enumerable.Range(1, count).Select(number => string.Create(CultureInfo.InvariantCulture, $"{name}-{number}")).Select(numbered => machine with { Name = numbered, HostId = host ?? numbered })
            : [machine];
    }

    private static Fleet Link(IReadOnlyList<MachineSpec> machines, YamlFields? fields)
    {
        if (fields is null)
            return new Fleet(machines);
        var between = new List<LinkSpec>();
        foreach (var link in fields.List("between"))
        {
            between.Add(new LinkSpec(link.Text("from"), link.Text("to"), link.Number("latency_ms") / 1e3, link.RequiredSize("bytes_per_s")));
            link.RefuseOthers();
        }

        var standard = new Fleet(machines, between);
        var fleet = new Fleet(machines, between)
        {
            DefaultLink = Speed(fields.Section("default")) ?? standard.DefaultLink,
            LocalLink = Speed(fields.Section("local")) ?? standard.LocalLink,
            HopSeconds = fields.Number("hop_ms", standard.HopSeconds * 1e3) / 1e3,
        };
        fields.RefuseOthers();
        return fleet;
    }

    private static LinkSpeed? Speed(YamlFields? fields)
    {
        if (fields is null)
            return null;
        var speed = new LinkSpeed(fields.Number("latency_ms") / 1e3, fields.RequiredSize("bytes_per_s"));
        fields.RefuseOthers();
        return speed;
    }
}
