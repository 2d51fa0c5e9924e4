#!/usr/bin/env python3
"""Cuts OpenAI's public specification down to the paths that we serve.

    cut_specification.py OPENAPI_JSON > tests/server/openai_paths.json

OPENAPI_JSON is openapi.json of https://github.com/openai/openai-openapi; openai_paths.json was cut from
commit f85dbe2 of 2026-08-21. Only structure is kept: types, fields, bounds, what is required. Words,
examples and extensions go, and so do the streams' schemas, which the format can't hold bodies against. What
is not 200 is an ErrorResponse, as the specification says elsewhere. One schema a line.
"""

import json
import sys

PATHS = {"/chat/completions": ["post"], "/completions": ["post"], "/embeddings": ["post"],
         "/models": ["get"], "/models/{model}": ["get"]}
WORDS = {"description", "summary", "title", "example", "examples", "externalDocs", "tags", "operationId",
         "deprecated"}
ERROR = {"description": "", "content": {"application/json": {
    "schema": {"$ref": "#/components/schemas/ErrorResponse"}}}}


def structure(node, names_are_data=False):
    """`node` without words; below "properties" and its like, keys are names and stay."""
    if isinstance(node, list):
        return [structure(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {}
    for key, value in node.items():
        if not names_are_data and (key in WORDS or key.startswith("x-")):
            continue
        if not names_are_data and key in ("enum", "const", "default", "required"):
            kept[key] = value
        else:
            kept[key] = structure(value, not names_are_data and key in ("properties", "mapping"))
    return kept


def references(node):
    """The names of the schemas that `node` points to."""
    if isinstance(node, list):
        return set().union(*map(references, node)) if node else set()
    if not isinstance(node, dict):
        return set()
    found = {node["$ref"].rsplit("/", 1)[1]} if isinstance(node.get("$ref"), str) else set()
    return found.union(*map(references, node.values())) if node else found


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        whole = json.load(file)
    paths = {}
    for path, methods in PATHS.items():
        paths[path] = {method: structure(whole["paths"][path][method]) for method in methods}
        for operation in paths[path].values():
            answer = operation["responses"]["200"]
            answer["description"] = ""  # OpenAPI wants one
            if "text/event-stream" in answer["content"]:
                answer["content"]["text/event-stream"] = {}
            operation["responses"] = {"200": answer, "default": ERROR}
    schemas, wanted = {}, references(paths)
    while wanted:
        name = wanted.pop()
        schemas[name] = structure(whole["components"]["schemas"][name])
        wanted |= references(schemas[name]) - schemas.keys()
    def lines(table):
        return ",\n".join(f"{json.dumps(name)}:{json.dumps(table[name], separators=(',', ':'))}"
                          for name in sorted(table))
    print(f'{{"openapi":{json.dumps(whole["openapi"])},"info":{{"title":"","version":""}},'
          f'"paths":{{\n{lines(paths)}}},"components":{{"schemas":{{\n{lines(schemas)}}}}}}}')


if __name__ == "__main__":
    main()
