namespace Slm.Tokenization.Templates;

/// <summary>A macro, or the body of a call block (its <c>caller</c>), with the scope it was defined in.</summary>
internal sealed class MacroValue(Interpreter interpreter, MacroSignature signature, TemplateScope scope) : PyCallable
{
    public override string Name => signature.Name is null ? "Macro anonymous" : $"Macro '{signature.Name}'";

    public override bool TryGetAttribute(string name, out object? value)
    {
        value = name switch
        {
            "name" => signature.Name,
            "arguments" => new PyTuple([.. signature.Parameters]),
            "caller" => signature.UsesCaller,
            "catch_kwargs" => signature.UsesKwargs,
            "catch_varargs" => signature.UsesVarargs,
            _ => CallArguments.Missing,
        };
        return CallArguments.Given(value);
    }

    public override object? Call(CallArguments arguments)
    {
        var inner = new TemplateScope(scope);
        var named = arguments.Named.ToDictionary(n => n.Key, n => n.Value, StringComparer.Ordinal);
        var positional = arguments.Positional;
        var firstDefault = signature.Parameters.Length - signature.Defaults.Length;
        for (var i = 0; i < signature.Parameters.Length; i++)
        {
            var name = signature.Parameters[i];
            if (i < positional.Count)
            {
                inner.Set(name, positional[i]);
            }
            else if (named.Remove(name, out var value))
            {
                inner.Set(name, value);
            }
            else
            {
                inner.Set(name, i >= firstDefault
                    ? interpreter.EvaluateIn(inner, signature.Defaults[i - firstDefault])
                    : new UndefinedValue($"parameter '{name}' was not provided"));
            }
        }
        if (signature.UsesCaller && !signature.Parameters.Contains("caller"))
        {
            inner.Set("caller", named.Remove("caller", out var caller) ? caller : new UndefinedValue("No caller defined"));
        }
        if (signature.UsesKwargs)
        {
            var rest = new PyDict();
            foreach (var (name, value) in named) rest.Set(name, value);
            inner.Set("kwargs", rest);
        }
        else if (named.Count > 0)
        {
            throw TemplateException.Evaluation($"macro '{signature.Name}' takes no keyword argument '{named.Keys.First()}'");
        }
        if (signature.UsesVarargs)
        {
            inner.Set("varargs", new PyTuple([.. positional.Skip(signature.Parameters.Length)]));
        }
        else if (positional.Count > signature.Parameters.Length)
        {
            throw TemplateException.Evaluation($"macro '{signature.Name}' takes not more than {signature.Parameters.Length} argument(s)");
        }
        return interpreter.Capture(inner, signature.Body);
    }
}
