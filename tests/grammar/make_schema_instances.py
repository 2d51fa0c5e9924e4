#!/usr/bin/env python3
"""Writes tests/grammar/schema_instances.txt: values of random shape that fit given schemas, and texts
beside them that do not, as the Python package jsonschema (with its format checks) judges both.

    python3 tests/grammar/make_schema_instances.py

Values have the form that our grammars promise to allow: properties in the schema's order, undeclared
ones only where additionalProperties asks for them. What is broken byte by byte and still fits is left
out: which of those texts are allowed is not jsonschema's to say.
"""

import json
import pathlib
import random

import jsonschema

DEFS = {
    "tree": {"type": "object", "properties": {"v": {"type": "integer"},
             "c": {"type": "array", "items": {"$ref": "#/$defs/tree"}, "maxItems": 2}},
             "required": ["v"], "additionalProperties": False}}

SCHEMAS = [
    {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0,
     "maximum": 130}}, "required": ["name", "age"], "additionalProperties": False},
    {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "boolean"}, "c": {"type": "null"}},
     "additionalProperties": False},
    {"type": "object", "properties": {"id": {"type": "string", "format": "uuid"},
     "when": {"type": "string", "format": "date"}}, "required": ["id"], "additionalProperties": False},
    {"type": "array", "items": {"enum": ["red", "green", 3, None, True]}, "minItems": 1, "maxItems": 4},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False, "minItems": 1},
    {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}},
    {"type": "object", "properties": {"ab": {"type": "string"}, "abc": {"type": "integer"}},
     "additionalProperties": {"type": "boolean"}},
    {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "integer", "exclusiveMinimum": 5},
     {"type": "array", "items": {"type": "null"}}]},
    {"oneOf": [{"type": "object", "properties": {"k": {"const": "x"}, "n": {"type": "integer"}},
                "required": ["k", "n"], "additionalProperties": False},
               {"type": "object", "properties": {"k": {"const": "y"}}, "required": ["k"],
                "additionalProperties": False}]},
    {"allOf": [{"type": "object", "properties": {"p": {"type": "integer"}}, "required": ["p"]},
               {"properties": {"q": {"type": "string"}, "p": {"maximum": 50}}}]},
    {"$defs": DEFS, "$ref": "#/$defs/tree"},
    {"type": "string", "minLength": 2, "maxLength": 5},
    {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{1,3}$"},
    {"type": "string", "pattern": "cat"},
    {"type": "integer", "minimum": -250, "maximum": 1999},
    {"type": "number", "minimum": -10, "exclusiveMaximum": 100},
    {"type": ["integer", "null", "boolean"]},
    {"type": "string", "format": "ipv4"},
    {"type": "string", "format": "date-time"},
    {"type": "array", "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}},
]

LETTERS = "abcxyz ABZ-0129_äß字😀\"\\\n\t/"
rng = random.Random(20261128)


def text(low, high):
    return "".join(rng.choice(LETTERS) for _ in range(rng.randint(low, high)))


def formatted(name):
    day = f"{rng.randint(1900, 2100)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    return {
        "uuid": lambda: "-".join(f"{rng.getrandbits(4 * n):0{n}x}" for n in (8, 4, 4, 4, 12)),
        "date": lambda: day,
        "date-time": lambda: f"{day}T{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:07"
                             + rng.choice(["Z", "+02:00", ".25Z"]),
        "ipv4": lambda: ".".join(str(rng.randint(0, 255)) for _ in range(4)),
    }[name]()


def value(schema, root, depth=0):
    """A value that fits, most of the time: the caller asks jsonschema."""
    if "$ref" in schema:
        return value(root["$defs"]["tree"], root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            return value(rng.choice(schema[keyword]), root, depth)
    if "allOf" in schema:
        merged = {"type": "object", "properties": {}, "required": ["p"], "additionalProperties": False}
        merged["properties"] = {"p": {"type": "integer", "maximum": 50}, "q": {"type": "string"}}
        return value(merged, root, depth)
    kind = schema["type"]
    if isinstance(kind, list):
        kind = rng.choice(kind)
    if kind == "null":
        return None
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "string":
        if "format" in schema:
            return formatted(schema["format"])
        if schema.get("pattern") == "cat":
            return text(0, 3) + "cat" + text(0, 3)
        if "pattern" in schema:
            return rng.choice("AZ") + "Q-" + str(rng.randint(0, 999))
        return text(schema.get("minLength", 0), schema.get("maxLength", 8))
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -10**6))
        high = schema.get("maximum", schema.get("exclusiveMaximum", 10**6))
        number = rng.randint(low, high)
        return number if kind == "integer" or rng.random() < 0.5 else number + rng.randint(1, 99) / 100
    if kind == "array":
        if "prefixItems" in schema:
            items = [value(item, root, depth + 1) for item in schema["prefixItems"]]
            return items[: rng.randint(schema.get("minItems", 0), len(items))]
        most = min(schema.get("maxItems", 4), 0 if depth > 6 else 4)
        return [value(schema["items"], root, depth + 1)
                for _ in range(rng.randint(min(schema.get("minItems", 0), most), most))]
    result = {}
    for name, inner in schema.get("properties", {}).items():
        if name in schema.get("required", []) or rng.random() < 0.6:
            result[name] = value(inner, root, depth + 1)
    if schema.get("additionalProperties"):
        for _ in range(rng.randint(0, 3)):
            name = "".join(rng.choice("abcz é") for _ in range(rng.randint(0, 4)))
            if name not in result and name not in schema.get("properties", {}):
                result[name] = value(schema["additionalProperties"], root, depth + 1)
    return result


def broken(text):
    """The text with one or two characters changed, dropped or doubled."""
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(text))
        new = rng.choice(['"', ",", "}", "]", "0", "7", "-", "a", ":", ".", " ", "", text[at] * 2])
        text = text[:at] + new + text[at + 1:]
    return text


def main():
    out = pathlib.Path(__file__).with_name("schema_instances.txt")
    with out.open("w", encoding="utf-8") as file:
        file.write("# Written by make_schema_instances.py; judged by jsonschema. Read as languages.txt is.\n")
        for schema in SCHEMAS:
            judge = jsonschema.Draft202012Validator(
                schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)

            def fits(text):
                try:
                    return judge.is_valid(json.loads(text))
                except ValueError:
                    return False

            # Beside declared names, others are written without escapes.
            escapes = 0 if "properties" in schema and schema.get("additionalProperties") else 0.3
            lines = set()
            for _ in range(12):
                whole = json.dumps(value(schema, schema), ensure_ascii=rng.random() < escapes,
                                   separators=rng.choice([(",", ":"), (", ", ": ")]))
                if not fits(whole):
                    continue
                lines.add("+s " + json.dumps(whole, ensure_ascii=False))
                for _ in range(3):
                    wrong = broken(whole)
                    if not fits(wrong):
                        lines.add("-s " + json.dumps(wrong, ensure_ascii=False))
            file.write("json " + json.dumps(schema, ensure_ascii=False, separators=(",", ":")) + "\n")
            file.write("".join(line + "\n" for line in sorted(lines)))


if __name__ == "__main__":
    main()
