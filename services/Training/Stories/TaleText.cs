using System.Text;

namespace Slm.Training.Stories;

/// <summary>Telling: templates with choices [a|b] and slots {h}, {o.a}, {B.in} become sentences with pronouns, articles and capitals.</summary>
public sealed partial class Tale
{
    private readonly StringBuilder _text = new(1600);
    private readonly List<(string Base, string Form, char Part)> _used = [];
    private static readonly string[] FairWeather = "sunny warm bright beautiful lovely clear fine breezy mild cool quiet windy cloudy pleasant golden".Split(' ');
    private int _sentence;
    private int _paragraphStart;
    private bool _capital = true;
    private bool _quote;
    private bool _mute;

    /// <summary>The words used from the word lists: base form, form told, part of speech n, v or a.</summary>
    public IReadOnlyList<(string Base, string Form, char Part)> Used => _used;

    public string Text => _text.ToString();

    /// <summary>Starts a new paragraph.</summary>
    public void Para()
    {
        if (_text.Length == 0)
            return;
        _text.Append("\n\n");
        _lastSpeaker = null;
        _afterSpeech = false;
        _paragraphStart = _sentence;
    }

    /// <summary>Tells one or more whole sentences.</summary>
    public void Tell(string template)
    {
        _afterSpeech = false;
        if (_text.Length > 0 && _text[^1] != '\n')
            _text.Append(' ');
        _capital = true;
        _quote = false;
        Render(Paraphrase.Apply(Expand(template), Random), _text);
        _sentence++;
    }

    /// <summary>
    /// Direct speech with a tag that fits its last mark; the speaker counts as a voice of the dialogue.
    /// A listener must be where the speaker is.
    /// </summary>
    public void Say(char speaker, string template, char to = '\0', string? verb = null)
    {
        Ev(EventKind.Speak, speaker, '\0', to);
        _speakers.Add(this[speaker]);
        string words = Expand(template);
        char last = words[^1];
        verb ??= last switch
        {
            '?' => Random.Pick(["asked", "asked", "asked", "wondered", "said"]),
            '!' => Random.Pick(["said", "cried", "shouted", "called", "said", "exclaimed"]),
            _ => Random.Pick(["said", "said", "said", "answered", "replied", "told"]),
        };
        if (verb is "told" && (to == '\0' || words.Contains('?')) || verb is "told" && this[to].LastSentence >= _sentence)
            verb = "said";
        if (verb is "answered" or "replied" && (_lastSpeaker is null || _lastSpeaker == this[speaker]))
            verb = "said";
        if (verb == "wondered" && to != '\0')
            verb = "asked";
        _lastSpeaker = this[speaker];
        string open = last == '.' ? words[..^1] + "," : words;
        int cut = FirstEnd(words);
        string tag = verb + (verb == "told" ? " {" + to + ".o}" : verb is "said" && to != '\0' && Chance(0.12) ? " to {" + to + ".n}" : "");
        int form = verb == "told" ? 1 + Random.Next(2) : Random.Next(cut > 0 ? 5 : 4);
        if (_afterSpeech && form != 1)
        {
            // Two voices in a row: a new paragraph, or the name first, so that nobody wonders who speaks.
            if (Chance(0.6))
                BreakTurn();
            else
                form = 1;
        }

        string s = "{" + speaker;
        if (verb == "said" && !tag.Contains('{') && Chance(0.1))
            tag += " " + Random.Pick(Manners);
        switch (form)
        {
            case 0 when verb is "said" or "cried" or "asked" or "shouted" or "replied" or "answered" or "called":
                Tell("\"" + open + "\" " + verb + " " + s + ".n}.");
                break;
            case 1:
                Tell(s + "} " + tag + ", \"" + words + "\"");
                break;
            case 4 when cut > 0:
                string head = words[..cut];
                if (head[^1] == '.')
                    head = head[..^1] + ",";
                Tell("\"" + head + "\" " + s + "} " + (verb is "asked" or "wondered" && head[^1] != '?' ? "said" : verb is "cried" or "shouted" or "exclaimed" && head[^1] == ',' ? "said" : tag) + ". \"" + words[(cut + 1)..] + "\"");
                break;
            default:
                Tell("\"" + open + "\" " + s + "} " + tag + ".");
                break;
        }

        _afterSpeech = true;
    }

    private Actor? _lastSpeaker;
    private bool _afterSpeech;

    private void BreakTurn()
    {
        _text.Append("\n\n");
        _paragraphStart = _sentence;
    }

    // Manners of speech that fit any mood.
    private static readonly string[] Manners = ["quietly", "softly", "slowly", "at once", "in a clear voice", "after a moment", "right away", "gently", "in a low voice", "quickly", "firmly", "in a serious voice"];

    private static int FirstEnd(string words)
    {
        for (int i = 8; i < words.Length - 1; i++)
        {
            if (words[i] is '.' or '!' or '?' && words[i + 1] == ' ')
                return i + 1;
        }

        return 0;
    }

    /// <summary>Renders outside the story (summaries, goals): names instead of pronouns at first mention, no effect on the text.</summary>
    public string Isolated(string template, bool sentence = false)
    {
        var text = new StringBuilder();
        var saved = (_sentence, _paragraphStart, _capital, _quote);
        var mentions = _actors.Select(a => a?.LastSentence ?? 0).ToArray();
        (_sentence, _paragraphStart, _capital, _mute, _quote) = (_sentence + 100, _sentence + 100, sentence, true, false);
        Render(Expand(template), text);
        (_sentence, _paragraphStart, _capital, _quote) = saved;
        _mute = false;
        for (int i = 0; i < mentions.Length; i++)
        {
            if (_actors[i] is { } actor)
                actor.LastSentence = mentions[i];
        }

        return text.ToString();
    }

    private string Expand(string template)
    {
        if (!template.Contains('['))
            return template;
        var text = new StringBuilder(template.Length);
        int at = 0;
        Choose(template, ref at, text, true);
        return text.ToString();
    }

    // Appends the text from 'at' to the end or the closing bracket or bar; live is false while skipping.
    private void Choose(string s, ref int at, StringBuilder text, bool live)
    {
        while (at < s.Length && s[at] is not ('|' or ']'))
        {
            if (s[at] != '[')
            {
                if (live)
                    text.Append(s[at]);
                at++;
                continue;
            }

            int options = 1;
            int depth = 0;
            for (int i = at + 1; depth >= 0; i++)
            {
                if (i >= s.Length)
                    throw new PlotException("unclosed choice in: " + s);
                if (s[i] == '[')
                    depth++;
                else if (s[i] == ']')
                    depth--;
                else if (s[i] == '|' && depth == 0)
                    options++;
            }

            int pick = live ? Random.Next(options) : -1;
            for (int k = 0; k < options; k++)
            {
                at++;
                Choose(s, ref at, text, live && k == pick);
            }

            at++;
        }
    }

    private void Render(string s, StringBuilder text)
    {
        for (int i = 0; i < s.Length; i++)
        {
            char c = s[i];
            if (c == '{')
            {
                int end = s.IndexOf('}', i);
                string word = Slot(s[(i + 1)..end]);
                Append(word);
                i = end;
                continue;
            }

            if (c == '^')
            {
                _capital = true;
                continue;
            }

            if (c == ' ' && (text.Length == 0 || text[^1] is ' ' or '\n') && !(_quote && text.Length > 0 && text[^1] == '"'))
                continue;
            if (c is '.' or ',' or '!' or '?' && text.Length > 0 && text[^1] == ' ')
                text.Length--;
            if (c == '"')
            {
                _quote = !_quote;
                if (_quote)
                    _capital = true;
                text.Append(c);
                continue;
            }

            if (char.IsLetter(c))
            {
                Append(c.ToString());
                continue;
            }

            text.Append(c);
            if (c is '.' or '!' or '?' && i + 1 < s.Length && s[i + 1] == ' ')
            {
                _capital = true;
                if (!_quote)
                    _sentence++;
            }
        }

        void Append(string word)
        {
            if (word.Length == 0)
                return;
            if (_capital)
            {
                text.Append(char.ToUpperInvariant(word[0])).Append(word.AsSpan(1));
                _capital = false;
            }
            else
            {
                text.Append(word);
            }
        }
    }

    private string Slot(string slot)
    {
        if (slot == "day")
        {
            string weather = Random.Pick(FairWeather);
            Use(weather, 'a');
            return Random.Pick(["one ", "one ", "one ", "on a "]) + weather + Random.Pick([" morning", " day", " afternoon"]);
        }

        // "the o" is short for "o.the", "a o" for "o.a"
        int space = slot.IndexOf(' ');
        if (space > 0)
            slot = slot[space + 1] + "." + slot[..space] + (slot.EndsWith(".n", StringComparison.Ordinal) ? "n" : "");
        char key = slot[0];
        string form = slot.Length > 2 ? slot[2..] : "";
        if (_actors[key] is { } actor)
            return ActorForm(actor, form);
        if (_items[key] is { } item)
            return ItemForm(item, form);
        if (_places[key] is { } place)
            return form switch { "in" => place.In, "to" => place.To, _ => place.Word };
        if (_verbs[key] is { } verb)
        {
            if (!_mute)
                _used.Add((verb.Verb, form switch { "ed" => verb.Past, "ing" => verb.Ing, _ => verb.Verb }, 'v'));
            return form switch { "ed" => verb.Ed, "ing" => verb.Gerund, _ => verb.Base };
        }

        return _words[key] ?? throw new PlotException("unknown slot {" + slot + "}");
    }

    private string ActorForm(Actor actor, string form)
    {
        switch (form)
        {
            case "v": return actor.Vocative;
            case "kind": return actor.Kind;
            case "he": return actor.Pronoun;
            case "him": return actor.Male ? "him" : "her";
            case "his": return actor.Male ? "his" : "her";
            case "self": return actor.Male ? "himself" : "herself";
            case "trait":
                Use(actor.Trait, 'a');
                return actor.Trait;
            case "d":
                actor.LastSentence = _sentence;
                return Describe(actor, true);
            case "dk":
                actor.LastSentence = _sentence;
                return Describe(actor, false);
        }

        if (_quote && !_mute)
            return form == "s" ? actor.Vocative + "'s" : actor.Vocative;
        bool pronoun = form != "n" && MayPronoun(actor);
        actor.LastSentence = _sentence;
        if (!pronoun)
            return form == "s" ? actor.Name + (actor.Name.EndsWith('s') ? "'" : "'s") : actor.Name;
        return form switch
        {
            "o" => actor.Male ? "him" : "her",
            "s" => actor.Male ? "his" : "her",
            _ => actor.Pronoun,
        };
    }

    private bool MayPronoun(Actor actor)
    {
        if (actor.LastSentence < _sentence - 1 || actor.LastSentence < _paragraphStart)
            return false;
        foreach (var other in _actors)
        {
            if (other is not null && other != actor && other.Male == actor.Male && other.LastSentence >= _sentence - 1 && other.LastSentence >= _paragraphStart)
                return false;
        }

        return _mute || Random.Chance(0.88);
    }

    private string Describe(Actor actor, bool named)
    {
        string kind = actor.Kind;
        string size = actor.Adult ? "" : Random.Chance(0.55) ? "little " : "";
        string trait = actor.Trait is "" or "little" ? "" : actor.Trait + " ";
        if (trait.Length > 0 && size.Length > 0 && Random.Chance(0.5))
            size = "";
        if (actor.Trait is "young" or "big")
            size = "";
        if (trait.Length == 0 && size.Length == 0 && actor.Trait == "little")
            size = "little ";
        if (trait.Length > 0)
            Use(actor.Trait, 'a');
        string phrase = trait + size + kind;
        if (size.Length > 0 && trait.Length > 0 && Random.Chance(0.3))
            phrase = size + trait + kind;
        string full = Inflection.Article(phrase) + " " + phrase;
        return named ? full + Random.Pick([" named ", " called ", " named "]) + actor.Name : full;
    }

    private string ItemForm(Item item, string form)
    {
        var noun = item.Noun;
        switch (form)
        {
            case "it": return noun.It;
            case "its": return noun.Plural ? "they" : "it";
            case "was": return noun.Plural ? "were" : "was";
            case "is": return noun.Plural ? "are" : "is";
            case "has": return noun.Plural ? "have" : "has";
            case "do": return noun.Plural ? "do" : "does";
            case "this": return noun.Plural ? "these" : "this";
            case "one": return noun.Plural || noun.Mass ? "some" : "one";
            case "adj":
                Use(item.Adjective, 'a');
                return item.Adjective;
        }

        if (form == "s")
        {
            string many = noun.Plural || noun.Mass ? noun.Word : Inflection.Plural(noun.Word);
            if (!_mute)
                _used.Add((noun.Word, many, 'n'));
            return many;
        }

        Use(noun.Word, 'n');
        bool full = form is "a" or "full" || (form == "the" && !_quote && Random.Chance(0.22));
        if (full)
            Use(item.Adjective, 'a');
        string phrase = full ? item.Adjective + " " + noun.Word : noun.Word;
        return form switch
        {
            "a" or "an" => noun.Article(phrase) + " " + phrase,
            "the" or "then" => "the " + phrase,
            _ => phrase,
        };
    }

    private void Use(string word, char part)
    {
        if (!_mute && word.Length > 0)
            _used.Add((word, word, part));
    }
}
