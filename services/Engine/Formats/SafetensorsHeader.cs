using System.Text.Json;

namespace Slm.Engine.Formats;

/// <summary>The JSON header of an untrusted safetensors file, read in one pass over its bytes.</summary>
internal ref struct SafetensorsHeader
{
    private const string MetadataName = "__metadata__";

    /// <summary>Most dimensions of a tensor; convolutions have four or five.</summary>
    private const int MaxDimensions = 8;

    private const int MaxNameBytes = 65535;

    /// <summary>Bits of an element by type; those of less than a byte come in whole bytes.</summary>
    private static readonly Dictionary<string, int> ElementBits = new(StringComparer.Ordinal)
    {
        ["BOOL"] = 8,
        ["U8"] = 8,
        ["I8"] = 8,
        ["F8_E5M2"] = 8,
        ["F8_E4M3"] = 8,
        ["F8_E8M0"] = 8,
        ["F4"] = 4,
        ["F6_E2M3"] = 6,
        ["F6_E3M2"] = 6,
        ["I16"] = 16,
        ["U16"] = 16,
        ["F16"] = 16,
        ["BF16"] = 16,
        ["I32"] = 32,
        ["U32"] = 32,
        ["F32"] = 32,
        ["I64"] = 64,
        ["U64"] = 64,
        ["F64"] = 64,
        ["C64"] = 64,
    };

    private readonly string _file;
    private readonly long _dataStart;
    private readonly long _dataBytes;
    private readonly List<SafetensorsTensor> _tensors = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private Dictionary<string, string>? _metadata;
    private Utf8JsonReader _json;

    private SafetensorsHeader(ReadOnlySpan<byte> header, string file, long dataStart, long dataBytes)
    {
        _file = file;
        _dataStart = dataStart;
        _dataBytes = dataBytes;
        _json = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 8 });
    }

    /// <summary>Reads and checks a header.</summary>
    /// <param name="header">Its bytes.</param>
    /// <param name="file">Name of the file, for errors.</param>
    /// <param name="dataStart">Where the data begins, in bytes from the start of the file.</param>
    /// <param name="dataBytes">Bytes of the data.</param>
    /// <returns>Tensors in the order of their data, with offsets from the start of the file.</returns>
    /// <exception cref="ModelFormatException">It is malformed.</exception>
    public static (List<SafetensorsTensor> Tensors, Dictionary<string, string> Metadata) Read(
        ReadOnlySpan<byte> header, string file, long dataStart, long dataBytes)
    {
        var reader = new SafetensorsHeader(header, file, dataStart, dataBytes);
        try
        {
            reader.ReadAll();
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // The reader throws the latter where a string is no valid UTF-8.
            throw new ModelFormatException($"{file}: the header is not valid JSON: {error.Message}", error);
        }

        reader._tensors.Sort(static (a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.ByteLength.CompareTo(b.ByteLength));
        reader.CheckRanges();
        return (reader._tensors, reader._metadata ?? []);
    }

    private void ReadAll()
    {
        Require(_json.Read() && _json.TokenType == JsonTokenType.StartObject, "the header", "an object");
        while (NextProperty("the header") is { } name)
        {
            if (name == MetadataName)
                ReadMetadata();
            else
                ReadTensor(name);
        }

        // Padding is white space; anything else makes the reader throw.
        if (_json.Read())
            throw Error("something follows the header's object.");
    }

    private void ReadMetadata()
    {
        if (_metadata is not null)
            throw Error($"'{MetadataName}' occurs twice.");
        _metadata = new Dictionary<string, string>(StringComparer.Ordinal);
        Require(_json.Read() && _json.TokenType == JsonTokenType.StartObject, MetadataName, "an object");
        while (NextProperty(MetadataName) is { } key)
        {
            Require(_json.Read() && _json.TokenType == JsonTokenType.String, $"{MetadataName}.{key}", "a string");
            if (!_metadata.TryAdd(key, _json.GetString()!))
                throw Error($"'{MetadataName}.{key}' occurs twice.");
        }
    }

    private void ReadTensor(string name)
    {
        if (name.Length == 0 || !_names.Add(name))
            throw Error(name.Length == 0 ? "a tensor has an empty name." : $"the tensor '{name}' occurs twice.");
        if (_tensors.Count == SafetensorsFile.MaxTensors)
            throw Error($"there are more than {SafetensorsFile.MaxTensors} tensors.");
        string? type = null;
        List<long>? shape = null;
        List<long>? offsets = null;
        Require(_json.Read() && _json.TokenType == JsonTokenType.StartObject, $"the tensor '{name}'", "an object");
        while (NextProperty($"the tensor '{name}'") is { } field)
        {
            var again = field switch { "dtype" => type is not null, "shape" => shape is not null, "data_offsets" => offsets is not null, _ => false };
            if (again)
                throw Error($"'{field}' of the tensor '{name}' occurs twice.");
            switch (field)
            {
                case "dtype":
                    Require(_json.Read() && _json.TokenType == JsonTokenType.String, $"'dtype' of the tensor '{name}'", "a string");
                    type = _json.GetString()!;
                    break;
                case "shape":
                    shape = Numbers(name, field, MaxDimensions);
                    break;
                case "data_offsets":
                    offsets = Numbers(name, field, 2);
                    break;
                default:
                    throw Error($"the tensor '{name}' has the field '{field}'; the format has dtype, shape and data_offsets.");
            }
        }

        _tensors.Add(Check(
            name, type ?? throw Missing(name, "dtype"), shape ?? throw Missing(name, "shape"), offsets ?? throw Missing(name, "data_offsets")));
    }

    private readonly SafetensorsTensor Check(string name, string type, List<long> shape, List<long> offsets)
    {
        if (!ElementBits.TryGetValue(type, out var bits))
            throw Error($"the tensor '{name}' has elements of type '{type}', which is unknown. Known: {string.Join(", ", ElementBits.Keys)}.");
        if (offsets.Count != 2 || offsets[0] > offsets[1] || offsets[1] > _dataBytes)
            throw Error($"the tensor '{name}' has the data_offsets [{string.Join(", ", offsets)}]; first and end within the {_dataBytes} bytes of data are expected. The file is truncated or damaged.");
        var total = (Int128)bits;
        foreach (var size in shape)
        {
            // An empty dimension may follow: the product is bounded where it is formed, and 2^63 · 2^63 still fits.
            total *= size;
            if (total > long.MaxValue)
                throw Error($"the tensor '{name}' has the shape [{string.Join(", ", shape)}], which is larger than a file can be.");
        }

        if (total % 8 != 0 || total / 8 != offsets[1] - offsets[0])
            throw Error($"the tensor '{name}' has {offsets[1] - offsets[0]} bytes of data; {type} of the shape [{string.Join(", ", shape)}] needs {total} bits.");
        return new SafetensorsTensor(name, type, shape, _dataStart + offsets[0], offsets[1] - offsets[0]);
    }

    private readonly void CheckRanges()
    {
        var end = _dataStart;
        var before = "the header";
        foreach (var tensor in _tensors)
        {
            if (tensor.Offset < end)
                throw Error($"the tensor '{tensor.Name}' at byte {tensor.Offset} overlaps '{before}', which ends at {end}.");
            if (tensor.Offset > end)
                throw Error($"there are {tensor.Offset - end} bytes of no tensor between '{before}' and '{tensor.Name}'; the format allows none.");
            end = tensor.Offset + tensor.ByteLength;
            before = tensor.Name;
        }

        if (end != _dataStart + _dataBytes)
            throw Error($"there are {_dataStart + _dataBytes - end} bytes of no tensor after '{before}'; the format allows none.");
    }

    private List<long> Numbers(string name, string field, int most)
    {
        Require(_json.Read() && _json.TokenType == JsonTokenType.StartArray, $"'{field}' of the tensor '{name}'", "an array");
        var numbers = new List<long>(4);
        while (_json.Read() && _json.TokenType != JsonTokenType.EndArray)
        {
            if (_json.TokenType != JsonTokenType.Number || !_json.TryGetInt64(out var number) || number < 0)
                throw Error($"'{field}' of the tensor '{name}' has an element that is no integer from 0 to {long.MaxValue}.");
            if (numbers.Count == most)
                throw Error($"'{field}' of the tensor '{name}' has more than {most} numbers.");
            numbers.Add(number);
        }

        return numbers;
    }

    /// <summary>The next property of the object that is being read; null at its end.</summary>
    private string? NextProperty(string where)
    {
        Require(_json.Read() && _json.TokenType is JsonTokenType.PropertyName or JsonTokenType.EndObject, where, "an object");
        if (_json.TokenType == JsonTokenType.EndObject)
            return null;
        return _json.ValueSpan.Length <= MaxNameBytes ? _json.GetString()
            : throw Error($"{where} has a name of {_json.ValueSpan.Length} bytes; at most {MaxNameBytes} are allowed.");
    }

    private readonly void Require(bool condition, string where, string expected)
    {
        if (!condition)
            throw Error($"{where} must be {expected}.");
    }

    private readonly ModelFormatException Missing(string name, string field) => Error($"the tensor '{name}' has no '{field}'.");

    private readonly ModelFormatException Error(string what) => new($"{_file}: {what}");
}
