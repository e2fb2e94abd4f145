using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Json;
using Slm.Engine.Constraints.Languages;

namespace Slm.Engine.Constraints.Json;

/// <summary>What schemas, and Boolean combinations of them, allow: the set of values of each node, worked out once. Not thread-safe.</summary>
internal sealed partial class SchemaCompiler
{
    private const int MaxDepth = 300;
    private readonly JsonForm _form;
    private readonly Dictionary<ValueNode, ValueSet> _sets = [];
    private readonly HashSet<Schema> _open = [];
    private readonly Dictionary<ValueNode, Schema> _blocked = [];
    private int _depth;
    private int _probes;

    public SchemaCompiler(TermPool pool, JsonForm form)
    {
        _form = form;
        Pool = pool;
        Numbers = new NumberLanguage(pool, form.PlainIntegers);
        Nodes = new ValueNodes();
        Algebra = new ShapeAlgebra(pool, Numbers, Nodes);
        Languages = new LanguageStore(pool);
        Lives = new Liveness(this);
    }

    /// <summary>Terms.</summary>
    public TermPool Pool { get; }

    /// <summary>Nodes.</summary>
    public ValueNodes Nodes { get; }

    /// <summary>Number languages.</summary>
    public NumberLanguage Numbers { get; }

    /// <summary>Operations on sets.</summary>
    public ShapeAlgebra Algebra { get; }

    /// <summary>Automata of terms.</summary>
    public LanguageStore Languages { get; }

    /// <summary>Which sets have members.</summary>
    public Liveness Lives { get; }

    /// <summary>How strings are written.</summary>
    public TextEncoding StringEncoding => _form.PlainStrings ? TextEncoding.PlainJsonString : TextEncoding.JsonString;

    /// <summary>Whether properties come in the order of the schema.</summary>
    public bool SchemaOrder => _form.SchemaOrder;

    /// <summary>Called with each keyword that is met, and what is done about it.</summary>
    public Action<Schema, string, string?>? Annotated { get; init; }

    /// <summary>What values a node has.</summary>
    /// <exception cref="ConstraintException">A keyword is malformed or cannot be enforced.</exception>
    public ValueSet SetOf(ValueNode node)
    {
        if (_sets.TryGetValue(node, out var known))
            return known;
        RuntimeHelpers.EnsureSufficientExecutionStack();
        if (_blocked.TryGetValue(node, out var blocker) && _open.Contains(blocker))
            throw new BlockedException(blocker);
        if (++_depth > MaxDepth)
            throw new ConstraintTooLargeException("", "", $"Schemas apply to the same value by way of more than {MaxDepth} others.");
        try
        {
            return _sets[node] = Evaluate(node);
        }
        catch (BlockedException blocked)
        {
            _blocked[node] = blocked.Schema;
            throw;
        }
        finally
        {
            _depth--;
        }
    }

    /// <summary>Tries to find something out while schemas are being worked out; false if it hangs on one of them, or cannot be found out.</summary>
    public bool TryProbe(Func<bool> question)
    {
        _probes++;
        try
        {
            return question();
        }
        catch (Exception error) when (error is BlockedException or ConstraintException)
        {
            return false;
        }
        finally
        {
            _probes--;
        }
    }

    private ValueSet Evaluate(ValueNode node) => node switch
    {
        ValueNode.Any => Algebra.Any,
        ValueNode.Never => Algebra.Never,
        ValueNode.OfSchema of => SetOf(of.Schema),
        ValueNode.Constant constant => SetOf(constant.Value),
        ValueNode.And and => and.Parts.Select(SetOf).Aggregate(Algebra.And),
        ValueNode.Or or => or.Parts.Select(SetOf).Aggregate(Algebra.Or),
        ValueNode.Not not => Algebra.Not(SetOf(not.Inner)),
        _ => throw new InvalidOperationException("A kind of node is not handled."),
    };

    /// <summary>One value.</summary>
    private ValueSet SetOf(JsonElement value)
    {
        var none = Algebra.Never;
        switch (value.ValueKind)
        {
            case JsonValueKind.Null:
                return none with { Null = true };
            case JsonValueKind.True:
                return none with { True = true };
            case JsonValueKind.False:
                return none with { False = true };
            case JsonValueKind.String:
                return none with { Strings = Pool.Literal(value.GetString()!) };
            case JsonValueKind.Number:
                return none with
                {
                    Numbers = DecimalNumber.TryParse(value.GetRawText(), out var number) ? Numbers.Values([number])
                        : throw new ConstraintException("", "const", $"The number {value.GetRawText()} is beyond what can be compared."),
                };
            case JsonValueKind.Array:
                var items = value.EnumerateArray().Select(Nodes.Constant).ToArray();
                return none with { Arrays = [new ArrayShape { Prefix = items, Rest = Nodes.Never, Min = items.Length, Max = items.Length }] };
            default:
                var members = value.EnumerateObject().DistinctBy(m => m.Name).Select(m => new NamedProperty(m.Name, Nodes.Constant(m.Value), true)).ToArray();
                return none with { Objects = [new ObjectShape { Named = members, Others = [] }] };
        }
    }

    private ValueSet SetOf(Schema schema)
    {
        if (!_open.Add(schema))
            throw _probes > 0 ? new BlockedException(schema) : new ConstraintException(schema.Pointer, "$ref", "The schema refers to itself for the same value, without end.");
        try
        {
            return Apply(schema);
        }
        catch (ConstraintException error) when (error.Place.Length == 0)
        {
            throw error is ConstraintTooLargeException
                ? new ConstraintTooLargeException(schema.Pointer, error.Keyword, error.Reason)
                : new ConstraintException($"{schema.Pointer}/{error.Keyword}", error.Keyword, error.Reason);
        }
        finally
        {
            _open.Remove(schema);
        }
    }

    private ValueSet Apply(Schema schema)
    {
        var hidesNeighbours = schema.Document.Draft <= SchemaDraft.Draft7;
        if (schema.TryGet("$ref", out var reference) && reference.ValueKind == JsonValueKind.String)
        {
            Note(schema, "$ref", null);
            var target = SetOf(Nodes.Of(schema.Document.Resolve(schema, "$ref", reference.GetString()!)));
            return hidesNeighbours ? target : Algebra.And(target, ApplyKeywords(schema));
        }

        return ApplyKeywords(schema);
    }

    private ValueSet ApplyKeywords(Schema schema)
    {
        NoteKeywords(schema);
        var set = Types(schema);
        if (schema.TryGet("$dynamicRef", out var dynamic) && dynamic.ValueKind == JsonValueKind.String)
        {
            var target = schema.Document.Resolve(schema, "$dynamicRef", dynamic.GetString()!);
            if (schema.Document.IsDynamic(target, dynamic.GetString()!))
                throw schema.Error("$dynamicRef", "A dynamic reference whose target depends on the way to it is not supported. Use \"$ref\".");
            set = Algebra.And(set, SetOf(Nodes.Of(target)));
        }

        if (schema.TryGet("$recursiveRef", out _))
            throw schema.Error("$recursiveRef", "Not supported. Use \"$ref\".");
        foreach (var keyword in (string[])["unevaluatedProperties", "unevaluatedItems"])
        {
            if (schema.TryGet(keyword, out var unevaluated) && unevaluated.ValueKind != JsonValueKind.True)
                throw schema.Error(keyword, "Not supported. List all properties or items in one schema and use \"additionalProperties\" or \"items\".");
        }

        if (schema.TryGet("const", out var constant))
            set = Algebra.And(set, SetOf(constant));
        if (schema.TryGet("enum", out var values))
            set = Algebra.And(set, Enumeration(schema, values));
        if (set.Numbers != Pool.Empty)
            set = set with { Numbers = NumberRules(schema, set.Numbers) };
        if (set.Strings != Pool.Empty)
            set = set with { Strings = StringRules(schema, set.Strings) };
        if (set.Objects.Count > 0)
            set = ObjectRules(schema, set);
        if (set.Arrays.Count > 0 && ArrayRule(schema) is { } arrays)
            set = set with { Arrays = Algebra.And(set.Arrays, [arrays]) };
        return Combinations(schema, set);
    }

    private ValueSet Types(Schema schema)
    {
        if (!schema.TryGet("type", out var type))
            return Algebra.Any;
        var names = type.ValueKind == JsonValueKind.Array ? [.. type.EnumerateArray()] : new[] { type };
        var set = Algebra.Never;
        foreach (var name in names)
        {
            var one = name.ValueKind == JsonValueKind.String ? name.GetString() : null;
            set = Algebra.Or(set, one switch
            {
                "null" => Algebra.Never with { Null = true },
                "boolean" => Algebra.Never with { False = true, True = true },
                "string" => Algebra.Never with { Strings = Pool.All },
                "number" => Algebra.Never with { Numbers = Numbers.Any },
                "integer" => Algebra.Never with { Numbers = Numbers.Integer },
                "object" => Algebra.Never with { Objects = Algebra.Any.Objects },
                "array" => Algebra.Never with { Arrays = Algebra.Any.Arrays },
                "any" when schema.Document.Draft == SchemaDraft.Draft4 => Algebra.Any,
                _ => throw schema.Error("type", $"{name.GetRawText()} is no type; types are null, boolean, string, number, integer, object and array."),
            });
        }

        return set;
    }

    private ValueSet Enumeration(Schema schema, JsonElement values)
    {
        if (values.ValueKind != JsonValueKind.Array)
            throw schema.Error("enum", $"It must be an array; it is {SchemaDocument.Name(values.ValueKind)}.");
        var set = Algebra.Never;
        var strings = new List<string>();
        var numbers = new List<DecimalNumber>();
        foreach (var value in values.EnumerateArray())
        {
            if (value.ValueKind == JsonValueKind.String)
                strings.Add(value.GetString()!);
            else if (value.ValueKind == JsonValueKind.Number && DecimalNumber.TryParse(value.GetRawText(), out var number))
                numbers.Add(number);
            else
                set = Algebra.Or(set, SetOf(value));
        }

        return Algebra.Or(set, Algebra.Never with { Strings = Pool.Words(strings), Numbers = Numbers.Values(numbers) });
    }

    private Term NumberRules(Schema schema, Term set)
    {
        var draft4 = schema.Document.Draft == SchemaDraft.Draft4;
        foreach (var (keyword, exclusive, atLeast) in ((string, string, bool)[])[("minimum", "exclusiveMinimum", true), ("maximum", "exclusiveMaximum", false)])
        {
            if (Number(schema, keyword) is { } bound)
            {
                // Some schemas of later drafts still have the flag.
                var flag = schema.TryGet(exclusive, out var value) && value.ValueKind == JsonValueKind.True;
                set = Numbers.And(set, atLeast ? Numbers.AtLeast(bound, flag) : Numbers.AtMost(bound, flag));
            }

            if (!draft4 && schema.TryGet(exclusive, out var own) && own.ValueKind is not (JsonValueKind.True or JsonValueKind.False) && Number(schema, exclusive) is { } edge)
                set = Numbers.And(set, atLeast ? Numbers.AtLeast(edge, exclusive: true) : Numbers.AtMost(edge, exclusive: true));
        }

        if (Number(schema, "multipleOf") is { } factor)
        {
            if (factor.Mantissa.Sign <= 0)
                throw schema.Error("multipleOf", "It must be above 0.");
            if (factor.Mantissa > MultipleMachine.MaxMantissa || factor.Scale > 300)
                throw schema.Error("multipleOf", $"Multiples of a number with more digits than {MultipleMachine.MaxMantissa} has are not supported.");
            set = Numbers.And(set, Numbers.MultipleOf(factor));
        }

        return set;
    }

    private Term StringRules(Schema schema, Term set)
    {
        var min = Count(schema, "minLength") ?? 0;
        var max = Count(schema, "maxLength") ?? -1;
        if (min > 0 || max >= 0)
            set = max >= 0 && max < min ? Pool.Empty : Pool.And(set, Pool.Repeat(Pool.AnyChar, min, max));
        if (schema.TryGet("pattern", out var pattern))
            set = Pool.And(set, Pattern(schema, "pattern", Text(schema, "pattern", pattern)));
        if (!_form.IgnoreFormat && schema.TryGet("format", out var format) && format.ValueKind == JsonValueKind.String)
        {
            var name = format.GetString()!;
            if (Formats.IsUnsupported(name))
                throw schema.Error("format", $"The format \"{name}\" cannot be enforced while a text is written.");
            if (Formats.Find(Pool, name) is { } language)
            {
                if (Formats.Shared(name, StringEncoding) is { } automaton)
                    Languages.Share(language, automaton);
                set = Pool.And(set, language);
            }
        }

        return set;
    }

    private Term Pattern(Schema schema, string keyword, string pattern)
    {
        try
        {
            return RegexLanguage.Search(Pool, pattern);
        }
        catch (ConstraintException error)
        {
            throw schema.Error(keyword, error.Reason);
        }
    }

    private ValueSet Combinations(Schema schema, ValueSet set)
    {
        if (List(schema, "allOf") is { } all)
        {
            foreach (var part in all)
                set = Algebra.And(set, SetOf(part));
        }

        if (List(schema, "anyOf") is { } any)
            set = Algebra.And(set, any.Select(SetOf).Aggregate(Algebra.Never, Algebra.Or));
        if (List(schema, "oneOf") is { } one)
            set = ExactlyOne([.. one.Select(p => Algebra.And(set, SetOf(p)))]);
        if (schema.TryGet("not", out _))
            set = Algebra.And(set, SetOf(Nodes.Not(Nodes.Of(SubSchema(schema, "not")))));
        if (schema.TryGet("if", out _) && (schema.TryGet("then", out _) || schema.TryGet("else", out _)))
        {
            var condition = Nodes.Of(SubSchema(schema, "if"));
            var then = schema.TryGet("then", out _) ? Nodes.Of(SubSchema(schema, "then")) : Nodes.Any;
            var otherwise = schema.TryGet("else", out _) ? Nodes.Of(SubSchema(schema, "else")) : Nodes.Any;
            set = Algebra.And(set, SetOf(Nodes.Or(Nodes.And(condition, then), Nodes.And(Nodes.Not(condition), otherwise))));
        }

        return set;
    }

    /// <summary>Values that are in exactly one of the sets.</summary>
    private ValueSet ExactlyOne(IReadOnlyList<ValueSet> sets)
    {
        var (any, one) = (Algebra.Never, Algebra.Never);
        foreach (var set in sets)
        {
            // Types that do not meet need no complement.
            var newOnes = Subtract(set, any);
            var remaining = Subtract(one, set);
            any = Algebra.Or(any, set);
            one = Algebra.Or(remaining, newOnes);
        }

        return one;
    }

    /// <summary>Values of the first that are not of the second.</summary>
    private ValueSet Subtract(ValueSet a, ValueSet b) => new(
        a.Null && !b.Null,
        a.False && !b.False,
        a.True && !b.True,
        Meets(a.Strings, b.Strings) ? Pool.Without(a.Strings, b.Strings) : a.Strings,
        a.Numbers == Pool.Empty || b.Numbers == Pool.Empty || Languages.IsEmpty(Numbers.And(a.Numbers, b.Numbers)) ? a.Numbers : Numbers.And(a.Numbers, Numbers.Not(b.Numbers)),
        SubtractShapes(a.Objects, b.Objects, Algebra.And, Lives.IsSurelyEmpty, Algebra.Not, Algebra.And),
        SubtractShapes(a.Arrays, b.Arrays, Algebra.And, Lives.IsSurelyEmpty, Algebra.Not, Algebra.And));

    private bool Meets(Term a, Term b) => a != Pool.Empty && b != Pool.Empty && !Languages.IsEmpty(Pool.And(a, b));

    private static List<T> SubtractShapes<T>(
        IReadOnlyList<T> shapes, IReadOnlyList<T> others, Func<T, T, T> and, Func<T, bool> empty, Func<IReadOnlyList<T>, IReadOnlyList<T>> not, Func<IReadOnlyList<T>, IReadOnlyList<T>, IReadOnlyList<T>> product)
    {
        var result = new List<T>();
        foreach (var shape in shapes)
        {
            var overlapping = others.Where(o => !empty(and(shape, o))).ToList();
            result.AddRange(overlapping.Count == 0 ? [shape] : product([shape], not(overlapping)).Where(s => !empty(s)));
        }

        return result;
    }

    private ValueNode[]? List(Schema schema, string keyword)
    {
        if (!schema.TryGet(keyword, out var list))
            return null;
        if (list.ValueKind != JsonValueKind.Array)
            throw schema.Error(keyword, $"It must be an array of schemas; it is {SchemaDocument.Name(list.ValueKind)}.");
        var result = new ValueNode[list.GetArrayLength()];
        for (var i = 0; i < result.Length; i++)
        {
            if (list[i].ValueKind is not (JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False))
                throw schema.Error(keyword, $"Entry {i} is {SchemaDocument.Name(list[i].ValueKind)}; a schema is an object, true or false.");
            result[i] = Nodes.Of(schema.Sub(keyword, i.ToString(CultureInfo.InvariantCulture)));
        }

        return result;
    }

    /// <summary>What is asked for hangs on a schema that is being worked out.</summary>
    private sealed class BlockedException(Schema schema) : Exception
    {
        public Schema Schema { get; } = schema;
    }

    private static Schema SubSchema(Schema schema, string keyword)
    {
        schema.TryGet(keyword, out var value);
        return value.ValueKind is JsonValueKind.Object or JsonValueKind.True or JsonValueKind.False ? schema.Sub(keyword)
            : throw schema.Error(keyword, $"It is {SchemaDocument.Name(value.ValueKind)}; a schema is an object, true or false.");
    }

    private static string Text(Schema schema, string keyword, JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? value.GetString()! : throw schema.Error(keyword, $"It must be a string; it is {SchemaDocument.Name(value.ValueKind)}.");

    private static DecimalNumber? Number(Schema schema, string keyword)
    {
        if (!schema.TryGet(keyword, out var value))
            return null;
        if (value.ValueKind != JsonValueKind.Number)
            throw schema.Error(keyword, $"It must be a number; it is {SchemaDocument.Name(value.ValueKind)}.");
        return DecimalNumber.TryParse(value.GetRawText(), out var number) ? number : throw schema.Error(keyword, $"The number {value.GetRawText()} is beyond what can be compared.");
    }

    private static int? Count(Schema schema, string keyword)
    {
        if (Number(schema, keyword) is not { } number)
            return null;
        if (!number.IsInteger || number.Mantissa.Sign < 0)
            throw schema.Error(keyword, "It must be an integer of at least 0.");
        return number.Mantissa > 1_000_000_000 ? 1_000_000_000 : (int)number.Mantissa;
    }
}
