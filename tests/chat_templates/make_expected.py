"""Writes what Python's jinja2 makes of our chat-template cases, for chat_template_test.cc.

    python3 tests/chat_templates/make_expected.py [TEMPLATES]

Run from the repository root with jinja2 3.1.6 installed. It fills the results into dialect.jsonl
(small templates that are our own) and, where the folder TEMPLATES (../shared/data/chat_templates)
exists, writes published.json: for each published template and each conversation of
conversations.json the length and FNV-1a hash of the rendering, or how it fails.

The environment is the one in which Hugging Face transformers renders chat templates.
"""

import datetime
import json
import pathlib
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

HERE = pathlib.Path(__file__).parent
# What strftime_now shows; chat_template_test.cc has the same.
NOW = datetime.datetime(2024, 7, 26, 12, 34, 56)


class GenerationTag(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("render_body")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def render_body(self, context, caller):
        return caller()


class Raised(jinja2.TemplateError):
    pass


class PlainDict:
    def __call__(self, *args, **kwargs):
        return dict(*args, **kwargs)

    def fromkeys(self, *args, **kwargs):
        return dict.fromkeys(*args, **kwargs)


class GuardedNamespace(jinja2.utils.Namespace):
    def __init__(*args, **kwargs):
        self, args = args[0], args[1:]
        attributes = dict(*args, **kwargs)
        for name in attributes:
            GuardedNamespace.check(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name, value):
        GuardedNamespace.check(name)
        jinja2.utils.Namespace.__setitem__(self, name, value)

    @staticmethod
    def check(name):
        if isinstance(name, str) and name.startswith("_"):
            raise jinja2.exceptions.SecurityError(f"underscore-prefixed attribute {name!r}")


def raise_exception(message):
    raise Raised(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[GenerationTag, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = NOW.strftime
    env.globals["dict"] = PlainDict()
    env.globals["namespace"] = GuardedNamespace
    return env


def render(env, source, context):
    """{"text": …}, {"raised": message} or {"fails": the exception's class}."""
    try:
        return {"text": env.from_string(source).render(**context)}
    except Raised as failure:
        return {"raised": failure.message}
    except Exception as failure:  # whatever Python says, it is the expected result
        return {"fails": type(failure).__name__}


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return "%016x" % value


def fill_dialect(env):
    path = HERE / "dialect.jsonl"
    lines = [json.loads(line) for line in path.read_bytes().decode().split("\n") if line]
    shared = lines[0]["context"]
    out = [lines[0]]
    for case in lines[1:]:
        kept = {key: case[key] for key in ("area", "template", "context") if key in case}
        context = {**shared, **case.get("context", {})}
        out.append({**kept, **render(env, case["template"], context)})
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in out)
    path.write_text(text, encoding="utf-8", newline="")
    print(f"{len(out) - 1} cases of the dialect")


def write_published(env, folder):
    conversations = json.loads((HERE / "conversations.json").read_text(encoding="utf-8"))
    shared = conversations["context"]
    published = {}
    for path in sorted(folder.glob("*.jinja")):
        source = path.read_bytes()
        results = {}
        for name, context in conversations["conversations"].items():
            result = render(env, source.decode(), {**shared, **context})
            if "text" in result:
                data = result["text"].encode()
                result = [len(data), fnv1a(data)]
            results[name] = result
        published[path.name] = {"source": fnv1a(source), "results": results}
    rows = [f" {json.dumps(name)}: {json.dumps(entry, ensure_ascii=False)}" for name, entry in published.items()]
    (HERE / "published.json").write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8", newline="")
    print(f"{len(published)} published templates, {len(conversations['conversations'])} conversations each")


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/chat_templates")
    env = environment()
    fill_dialect(env)
    if folder.is_dir():
        write_published(env, folder)


if __name__ == "__main__":
    main()
