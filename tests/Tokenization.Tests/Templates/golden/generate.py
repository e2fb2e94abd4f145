"""Writes snippets.json and conversations.json: what Jinja2 itself prints, in the environment that
transformers' apply_chat_template sets up. Run with Python 3 and jinja2 3.1: python3 generate.py"""
import datetime, glob, json, os, sys
import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = os.path.dirname(os.path.abspath(__file__))
NOW = datetime.datetime(2024, 7, 6, 9, 5, 3)  # a Saturday


class Generation(Extension):
    """{% generation %} renders its body; transformers also tracks where it is."""
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("render"), [], [], body).set_lineno(line)

    def render(self, caller):
        return caller()


class Refused(Exception):
    pass


def refuse(message):
    raise Refused(message)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])
    env.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    env.globals["raise_exception"] = refuse
    env.globals["strftime_now"] = NOW.strftime
    return env


def run(source, variables):
    try:
        return {"output": environment().from_string(source).render(**variables)}
    except Refused as e:
        return {"refused": str(e)}
    except jinja2.TemplateSyntaxError as e:
        return {"error": "syntax", "line": e.lineno, "message": e.message}
    except Exception as e:
        return {"error": "evaluation", "message": f"{type(e).__name__}: {e}"}


VARIABLES = {
    "n": 7, "f": 2.5, "t": True, "none_value": None, "s": "Hello, World", "empty": "", "u": "naïve 😀 日本",
    "l": [3, 1, 2], "words": ["pear", "Apple", "fig", "apple"], "nested": [[1, 2], [3], []],
    "d": {"b": 1, "a": {"x": [1, 2.0, None, True]}, "items": "shadow", "é": "\"quoted\"\n"},
    "users": [{"name": "Ann", "age": 30, "role": "user"}, {"name": "bob", "age": 25, "role": "admin"},
              {"name": "Cid", "age": 30, "role": "user", "tags": ["x", "y"]}],
    "tree": [{"v": 1, "c": [{"v": 2, "c": []}, {"v": 3, "c": [{"v": 4, "c": []}]}]}, {"v": 5, "c": []}],
}

SNIPPETS = open(os.path.join(HERE, "snippets.txt"), encoding="utf-8", newline="").read().split("\n====\n")
SNIPPETS = SNIPPETS[:-1]

CITY = {"type": "function", "function": {"name": "get_weather", "description": "Weather of a city.\nMetric.", "parameters": {
    "type": "object", "properties": {
        "city": {"type": "string", "description": "e.g. \"Köln\""}, "days": {"type": "integer", "default": 1},
        "fields": {"type": "array", "items": {"type": "string"}}, "unit": {"type": "string", "enum": ["c", "f"]}},
    "required": ["city"]}}}
ADD = {"type": "function", "function": {"name": "add", "description": "Adds <two> numbers & says 'ok'", "parameters": {
    "type": "object", "properties": {"a": {"type": "number"}, "b": {"type": ["number", "null"]}}, "required": ["a", "b"]}}}


def call(id, name, arguments, kind="function"):
    return {"id": id, "type": kind, "function": {"name": name, "arguments": arguments}}


U, A, S = (lambda c: {"role": "user", "content": c}), (lambda c: {"role": "assistant", "content": c}), (lambda c: {"role": "system", "content": c})
CONVERSATIONS = {
    "one": [U("Hi")],
    "system": [S("Be brief. "), U(" What's 2+2? ")],
    "turns": [U("Hello"), A("Hi there!"), U("Tell me a joke\nin two lines"), A(" Why?\nBecause. "), U("Ha — «ha» 😀 日本語")],
    "system_turns": [S("You're \"terse\".\nAlways."), U("a"), A("b"), U("c")],
    "ends_with_assistant": [U("q"), A("an answer")],
    "two_users": [U("q"), U("r")],
    "late_system": [U("q"), S("late"), U("r")],
    "empty_content": [S(""), U(""), A(""), U("x")],
    "no_messages": [],
    "thinking": [U("q"), A("<think>\nhm, let me see\n</think>\n\nanswer"), U("r"), A("<think>\nagain\n</think>\n\nsecond")],
    "reasoning_field": [U("q"), {"role": "assistant", "content": "a", "reasoning_content": "because"}, U("r")],
    "tool_call": [U("Weather in Köln?"), {"role": "assistant", "content": None, "tool_calls": [call("abc123def", "get_weather", {"city": "Köln", "days": 2})]},
                  {"role": "tool", "tool_call_id": "abc123def", "content": "{\"temp\": 21.5}"}, A("21.5 °C"), U("Thanks")],
    "tool_call_text": [S("Use tools."), U("Add"), {"role": "assistant", "content": "", "tool_calls": [call("abc123def", "add", {"a": 1, "b": 2.0})]},
                       {"role": "tool", "tool_call_id": "abc123def", "content": "3"}],
    "two_tool_calls": [U("both"), {"role": "assistant", "content": "", "tool_calls": [
        call("aaaaaaaaa", "add", {"a": 1, "b": None}), call("bbbbbbbbb", "get_weather", {"city": "<Rome> & \"co\"", "fields": []})]},
        {"role": "tool", "tool_call_id": "aaaaaaaaa", "content": "1"}, {"role": "tool", "tool_call_id": "bbbbbbbbb", "content": "rain"}, A("done")],
    "string_arguments": [U("q"), {"role": "assistant", "content": None, "tool_calls": [call("x", "add", "{\"a\": 1}")]},
                         {"role": "tool", "tool_call_id": "x", "content": "1"}],
    "parts": [U([{"type": "text", "text": "look "}, {"type": "image"}, {"type": "text", "text": "here"}]), A("ok"), U("and?")],
}
OPTIONS = [
    {"add_generation_prompt": True, "tools": None},
    {"add_generation_prompt": False, "tools": None},
    {"add_generation_prompt": True, "tools": [CITY, ADD]},
    {"add_generation_prompt": True, "tools": [ADD], "tools_in_user_message": False, "enable_thinking": False, "date_string": "1 Jan 2025",
     "documents": [{"title": "One", "text": "first"}, {"title": "Two", "text": "second"}]},
]


def dump(name, value):
    with open(os.path.join(HERE, name), "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")


def conversations(folder):
    cases = []
    for path in sorted(glob.glob(os.path.join(folder, "*.jinja"))):
        source = open(path, encoding="utf-8", newline="").read()
        for name in CONVERSATIONS:
            for number, options in enumerate(OPTIONS):
                variables = {"messages": CONVERSATIONS[name], "bos_token": "<s>", "eos_token": "</s>", "documents": None, **options}
                cases.append({"template": os.path.basename(path), "conversation": name, "options": number, **run(source, variables)})
    return {"conversations": CONVERSATIONS, "options": OPTIONS, "cases": cases}


if __name__ == "__main__":
    if len(sys.argv) > 2:
        json.dump(conversations(sys.argv[1]), open(sys.argv[2], "w", encoding="utf-8"), ensure_ascii=False)
    else:
        dump("snippets.json", {"variables": VARIABLES, "cases": [{"template": s, **run(s, VARIABLES)} for s in SNIPPETS]})
        dump("conversations.json", conversations(os.path.join(HERE, "templates")))
