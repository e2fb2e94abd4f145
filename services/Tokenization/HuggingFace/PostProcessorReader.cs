namespace Slm.Tokenization.HuggingFace;

/// <summary>
/// The <c>post_processor</c> of a tokenizer.json, for one sequence: ids before it and ids after it. What these
/// components do to offsets (trim_offsets) is not wanted here: our ranges cover the text without gaps.
/// </summary>
internal sealed class PostProcessorReader(Func<string, int?> find)
{
    private readonly List<int> _before = [];
    private readonly List<int> _after = [];

    public (List<int> Before, List<int> After) Read(JsonPart? part)
    {
        if (part is { } p)
            Add(p);
        return (_before, _after);
    }

    private void Add(JsonPart part)
    {
        switch (part.String("type"))
        {
            case "Sequence":
                foreach (var step in part.Require("processors").AsArray())
                    Add(step);
                break;
            case "ByteLevel":
                break;
            case "BertProcessing" or "RobertaProcessing":
                _before.Insert(0, Pair(part.Require("cls")));
                _after.Add(Pair(part.Require("sep")));
                break;
            case "TemplateProcessing":
                AddTemplate(part);
                break;
            default:
                throw part.Require("type").Wrong("a known post-processor");
        }
    }

    private void AddTemplate(JsonPart part)
    {
        var (before, after) = (new List<int>(), new List<int>());
        var sequences = 0;
        foreach (var item in part.Require("single").AsArray())
        {
            if (item.Get("Sequence") is { } sequence)
            {
                if (sequence.String("id") != "A" || ++sequences > 1)
                    throw item.Wrong("sequence A, once");
                continue;
            }

            var name = item.Require("SpecialToken").String("id");
            var ids = part.Get("special_tokens")?.Get(name)?.Require("ids").AsArray().Select(static i => i.AsInt())
                ?? throw new TokenizerFormatException($"{part.Path}.special_tokens has no \"{name}\"");
            (sequences == 0 ? before : after).AddRange(ids);
        }

        _before.InsertRange(0, before);
        _after.AddRange(after);
    }

    // ["[CLS]", 101]
    private int Pair(JsonPart part)
    {
        var items = part.AsArray();
        if (items.Count != 2)
            throw part.Wrong("a token and its id");
        var id = items[1].AsInt();
        return find(items[0].AsString()) == id ? id : throw part.Wrong($"the id of \"{items[0].AsString()}\"");
    }
}
