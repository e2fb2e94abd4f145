using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Slm.Engine.Sampling;

namespace Slm.Cli.Commands;

/// <summary>How tokens are chosen, as options.</summary>
internal sealed class SamplingOptionSet
{
    private readonly Option<int?> _maxTokens = new("--max-tokens", "-n") { Description = "Most tokens to generate; default until the end of the context.", HelpName = "N" };
    private readonly Option<float?> _temperature = new("--temperature", "-t") { Description = "0 takes the most probable token; default 1.", HelpName = "X" };
    private readonly Option<int?> _topK = new("--top-k") { Description = "Keep the k most probable tokens; 0 keeps all.", HelpName = "K" };
    private readonly Option<float?> _topP = new("--top-p") { Description = "Keep the most probable tokens up to this sum; default 1.", HelpName = "P" };
    private readonly Option<float?> _minP = new("--min-p") { Description = "Drop tokens below this share of the best one's probability; default 0.", HelpName = "P" };
    private readonly Option<ulong?> _seed = new("--seed") { Description = "The same seed gives the same answer; default random.", HelpName = "N" };
    private readonly Option<string[]> _stop = new("--stop") { Description = "Text that ends the answer; may be repeated.", HelpName = "TEXT" };
    private readonly Option<float?> _repetition = new("--repetition-penalty") { Description = "Above 1 makes repetition less likely; default 1.", HelpName = "X" };
    private readonly Option<float?> _presence = new("--presence-penalty") { Description = "-2 to 2; default 0.", HelpName = "X" };
    private readonly Option<float?> _frequency = new("--frequency-penalty") { Description = "-2 to 2; default 0.", HelpName = "X" };
    private readonly Option<Dictionary<int, float>?> _bias = new("--logit-bias") { Description = "ID:BIAS pairs separated by commas.", HelpName = "ID:X,…", CustomParser = ParseBias };
    private readonly Option<bool> _ignoreEos = new("--ignore-eos") { Description = "Go on after an end-of-sequence token." };

    public void AddTo(Command command)
    {
        foreach (var option in new Option[] { _maxTokens, _temperature, _topK, _topP, _minP, _seed, _stop, _repetition, _presence, _frequency, _bias, _ignoreEos })
            command.Add(option);
    }

    public string[] Stop(ParseResult result) => result.GetValue(_stop) ?? [];

    /// <summary>The options given, the defaults of the contract for the others; checked.</summary>
    /// <exception cref="SamplingOptionException">A value is out of range.</exception>
    public SamplingOptions Read(ParseResult result)
    {
        var options = new SamplingOptions
        {
            MaxTokens = result.GetValue(_maxTokens),
            Temperature = result.GetValue(_temperature) ?? 1,
            TopK = result.GetValue(_topK) ?? 0,
            TopP = result.GetValue(_topP) ?? 1,
            MinP = result.GetValue(_minP) ?? 0,
            Seed = result.GetValue(_seed),
            RepetitionPenalty = result.GetValue(_repetition) ?? 1,
            PresencePenalty = result.GetValue(_presence) ?? 0,
            FrequencyPenalty = result.GetValue(_frequency) ?? 0,
            LogitBias = result.GetValue(_bias) ?? [],
            IgnoreEos = result.GetValue(_ignoreEos),
        };
        options.Validate();
        if (options.MaxTokens == 0)
            throw new SamplingOptionException("max_tokens", 0, "at least 1");
        return options;
    }

    private static Dictionary<int, float>? ParseBias(ArgumentResult result)
    {
        var biases = new Dictionary<int, float>();
        foreach (var pair in result.Tokens.SelectMany(t => t.Value.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)))
        {
            var colon = pair.IndexOf(':', StringComparison.Ordinal);
            if (colon < 0 || !int.TryParse(pair.AsSpan(0, colon), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ||
                !float.TryParse(pair.AsSpan(colon + 1), NumberStyles.Float, CultureInfo.InvariantCulture, out var bias))
            {
                result.AddError($"--logit-bias: '{pair}' is no pair of token id and bias. Give pairs such as 17:-100,42:2.5.");
                return null;
            }
            biases[id] = bias;
        }
        return biases;
    }
}
