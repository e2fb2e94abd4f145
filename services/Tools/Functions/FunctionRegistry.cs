using System.Collections.Concurrent;
using System.Text.Json;
using Slm.JsonSchema;
using Slm.Tools.Calls;

namespace Slm.Tools.Functions;

/// <summary>
/// Functions that can be run for a model. Arguments are checked against the function's JSON Schema before it runs; what
/// goes wrong comes back as a typed error that the model can read. Thread-safe.
/// </summary>
public sealed class FunctionRegistry
{
    private readonly ConcurrentDictionary<string, Entry> _entries = new(StringComparer.Ordinal);
    private readonly TimeProvider _time;

    /// <summary>An empty registry.</summary>
    /// <param name="time">Clock of the time limit; null: the system's.</param>
    public FunctionRegistry(TimeProvider? time = null) => _time = time ?? TimeProvider.System;

    /// <summary>Longest time a function may take. Default one minute.</summary>
    public TimeSpan TimeLimit { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The functions, by name.</summary>
    public IReadOnlyList<FunctionSpec> Functions => [.. _entries.Values.Select(e => e.Spec).OrderBy(s => s.Name, StringComparer.Ordinal)];

    /// <summary>Registers a function.</summary>
    /// <param name="spec">Name, description and schema of the arguments.</param>
    /// <param name="run">Runs it with arguments that match the schema; its result is what the model reads.</param>
    /// <exception cref="ArgumentException">The name cannot be used or is taken.</exception>
    /// <exception cref="SchemaException">The schema cannot be used.</exception>
    public void Register(FunctionSpec spec, Func<JsonElement, CancellationToken, Task<string>> run)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(run);
        if (!FunctionSpec.IsName(spec.Name))
            throw new ArgumentException($"'{spec.Name}' cannot name a function: use 1 to {FunctionSpec.MaxNameChars} letters, digits, '_', '-' or '.'.", nameof(spec));
        var schema = string.IsNullOrWhiteSpace(spec.ParametersJson) ? """{"type":"object"}""" : spec.ParametersJson;
        if (!_entries.TryAdd(spec.Name, new Entry(spec, JsonSchemaValidator.Parse(schema), run)))
            throw new ArgumentException($"There is a function '{spec.Name}' already; names must differ.", nameof(spec));
    }

    /// <summary>True if there is a function of that name.</summary>
    public bool Has(string name) => _entries.ContainsKey(name);

    /// <summary>Checks a call and runs its function.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancellationToken"/> was cancelled. Nothing else is thrown.</exception>
    public async Task<FunctionOutcome> InvokeAsync(FunctionCall call, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(call);
        if (!_entries.TryGetValue(call.Name, out var entry))
            return Fail(call, FunctionErrorKind.UnknownFunction, $"There is no function '{call.Name}'. There are: {string.Join(", ", Functions.Select(f => f.Name))}.");
        JsonElement arguments;
        try
        {
            arguments = JsonElement.Parse(string.IsNullOrWhiteSpace(call.ArgumentsJson) ? "{}" : call.ArgumentsJson);
        }
        catch (JsonException error)
        {
            return Fail(call, FunctionErrorKind.InvalidJson, $"The arguments are not valid JSON: {error.Message}");
        }
        if (arguments.ValueKind != JsonValueKind.Object)
            return Fail(call, FunctionErrorKind.InvalidJson, "The arguments must be a JSON object.");
        if (entry.Schema.Validate(arguments) is { Count: > 0 } violations)
            return Fail(call, FunctionErrorKind.InvalidArguments, $"The arguments do not match the schema of '{call.Name}'. Correct what 'violations' names and call it again.", violations);
        return await RunAsync(call, entry, arguments, cancellationToken);
    }

    private async Task<FunctionOutcome> RunAsync(FunctionCall call, Entry entry, JsonElement arguments, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(TimeLimit, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return new FunctionOutcome(call, await entry.Run(arguments, either.Token).WaitAsync(either.Token), null);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            throw;
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            return Fail(call, FunctionErrorKind.TimedOut, $"'{call.Name}' did not end within {TimeLimit.TotalSeconds:0.###} s.");
        }
#pragma warning disable CA1031 // A function may throw anything: it is the model that must hear of it.
        catch (Exception error)
#pragma warning restore CA1031
        {
            return Fail(call, FunctionErrorKind.Failed, $"'{call.Name}' failed: {error.Message}");
        }
    }

    private static FunctionOutcome Fail(FunctionCall call, FunctionErrorKind kind, string message, IReadOnlyList<SchemaError>? violations = null)
    {
        var error = new FunctionError(kind, message, violations ?? []);
        return new FunctionOutcome(call, error.ToJson(), error);
    }

    private sealed record Entry(FunctionSpec Spec, JsonSchemaValidator Schema, Func<JsonElement, CancellationToken, Task<string>> Run);
}
