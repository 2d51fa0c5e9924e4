#!/usr/bin/env python3
"""OpenAI's public specification, cut to our paths, against the server: schemathesis makes requests from it, good
ones and bad ones, and no answer may be a 5xx or have a body that the specification does not know.

    schemathesis_test.py SERVER BUILD_FOLDER [EXAMPLES]

Two rounds: the specification with every field that OpenAI has, most of which are refused by name, and with those
fields only that we act on, so that most requests are answered.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import client_environment
import served

CHECKS = "not_a_server_error,response_schema_conformance,content_type_conformance"
ACTED_ON = {
    "CreateCompletionRequest": {
        "model", "prompt", "best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "n",
        "presence_penalty", "seed", "stop", "stream", "stream_options", "temperature", "top_p", "user"},
    "CreateChatCompletionRequest": {
        "model", "messages", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs", "max_tokens",
        "max_completion_tokens", "n", "presence_penalty", "seed", "stop", "stream", "stream_options",
        "temperature", "top_p", "user", "metadata", "store"},
    "CreateEmbeddingRequest": {"model", "input", "encoding_format", "dimensions", "user"},
}
TEXT_MESSAGES = {"type": "array", "minItems": 1, "items": {
    "type": "object", "required": ["role", "content"], "additionalProperties": False, "properties": {
        "role": {"enum": ["system", "developer", "user", "assistant"]},
        "content": {"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["type", "text"], "additionalProperties": False,
            "properties": {"type": {"enum": ["text"]}, "text": {"type": "string"}}}}]},
        "name": {"type": "string", "maxLength": 64}}}}
# A generator loves long answers, which say no more than short ones.
SMALL = {"max_tokens": 20, "max_completion_tokens": 20, "n": 3, "best_of": 3}


def merged(schemas, schema):
    """One object schema out of an allOf, which these requests use to inherit."""
    if "$ref" in schema:
        return merged(schemas, schemas[schema["$ref"].rsplit("/", 1)[1]])
    whole = {"type": "object", "properties": dict(schema.get("properties", {})),
             "required": list(schema.get("required", []))}
    for part in schema.get("allOf", []):
        more = merged(schemas, part)
        whole["properties"].update(more["properties"])
        whole["required"] += more["required"]
    return whole


def specification(model, only_acted_on):
    text = pathlib.Path(__file__).with_name("openai_paths.json").read_text(encoding="utf-8")
    whole = json.loads(text)
    schemas = whole["components"]["schemas"]
    for name, fields in ACTED_ON.items():
        request = merged(schemas, schemas[name])
        request["properties"]["model"] = {"enum": [model]}
        if only_acted_on:
            request["additionalProperties"] = False
            request["properties"] = {key: value for key, value in request["properties"].items() if key in fields}
            if "messages" in fields:
                request["properties"]["messages"] = TEXT_MESSAGES
        for field, most in SMALL.items():
            if field in request["properties"]:
                request["properties"][field] = {"type": "integer", "minimum": 1, "maximum": most}
        schemas[name] = request
    return whole


def main():
    examples = sys.argv[3] if len(sys.argv) > 3 else "60"
    server = served.start(sys.argv[1])
    failed = False
    for only_acted_on in (True, False):
        # It writes its reports where it runs.
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "paths.json").write_text(json.dumps(specification(server.model, only_acted_on)),
                                                          encoding="utf-8")
            tool = pathlib.Path(sys.executable).with_name("schemathesis")
            failed |= subprocess.run(
                [tool, "run", "paths.json", "--url", server.base_url, "--checks", CHECKS, "--seed", "1",
                 "--max-examples", examples, "--generation-database", "none", "--no-color",
                 "--continue-on-failure", "--request-timeout", "120"],
                cwd=folder, check=False).returncode != 0
    return server.stop() != 0 or failed


if __name__ == "__main__":
    client_environment.enter(sys.argv[2])
    sys.exit(main())
