namespace Slm.Tokenization.Templates;

/// <summary>
/// What the rendering on this thread has left. Rendering is synchronous, so the budget is reached through a thread
/// static: values and text functions charge it without carrying it in every signature.
/// </summary>
internal sealed class RenderBudget(TemplateLimits limits)
{
    [ThreadStatic]
    private static RenderBudget? Active;

    private long _left = limits.MaxSteps;

    public TemplateLimits Limits { get; } = limits;

    /// <summary>The budget of the rendering in progress.</summary>
    public static RenderBudget Current => Active ?? throw new InvalidOperationException("no template is being rendered on this thread");

    public static RenderBudget? Swap(RenderBudget? budget)
    {
        var previous = Active;
        Active = budget;
        return previous;
    }

    /// <summary>Pays for work in proportion to what it touches.</summary>
    public static void Charge(long steps)
    {
        var budget = Current;
        budget._left -= steps;
        if (budget._left < 0) throw TemplateException.Limit($"more than {budget.Limits.MaxSteps} steps");
    }

    /// <summary>Pays for a text of this length before it is built.</summary>
    public static void ChargeText(long chars)
    {
        var budget = Current;
        if (chars > budget.Limits.MaxOutputChars) throw TemplateException.Limit($"a text longer than {budget.Limits.MaxOutputChars} characters");
        Charge(1 + (chars / 8));
    }

    /// <summary>Pays for a list of this length before it is built.</summary>
    public static void ChargeItems(long count)
    {
        if (count > Current.Limits.MaxSteps) throw TemplateException.Limit($"a list longer than {Current.Limits.MaxSteps} items");
        Charge(count);
    }
}
