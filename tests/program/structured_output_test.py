#!/usr/bin/env python3
"""Asks `switchyard serve` on the real default model for answers of a given form, at temperature 1, and
holds them against an independent judge: the Python package jsonschema, re and json.

    structured_output_test.py PROGRAM

Without a network and without the model in the cache, or without jsonschema, the tests are skipped, saying so.
"""

import concurrent.futures
import http.client
import json
import pathlib
import re
import subprocess
import sys
import unittest

try:
    import jsonschema
except ImportError:
    jsonschema = None

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import default_model  # noqa: E402

PROGRAM = ""
MODEL = default_model.NAME

SHORT = {"type": "string", "maxLength": 20}
PERSON = {"type": "object", "properties": {"name": SHORT, "age": {"type": "integer", "minimum": 0, "maximum": 120}},
          "required": ["name", "age"], "additionalProperties": False}


def shape(**properties):
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


# Each so bounded that its answer ends within max_tokens.
SCHEMAS = [
    PERSON,
    shape(people={"type": "array", "items": PERSON, "minItems": 1, "maxItems": 3}),
    shape(colour={"enum": ["red", "green", "blue"]}, shade={"enum": [1, 2, 3]}),
    shape(ok={"type": "boolean"}, why={"type": ["string", "null"], "maxLength": 30}),
    shape(id={"type": "string", "format": "uuid"}),
    shape(day={"type": "string", "format": "date"}, at={"type": "string", "format": "time"}),
    shape(when={"type": "string", "format": "date-time"}),
    shape(mail={"type": "string", "format": "email"}),
    shape(address={"type": "string", "format": "ipv4"}),
    shape(code={"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"}),
    shape(word={"type": "string", "pattern": "^[a-zäöü]{2,12}$"}),
    shape(x={"type": "number", "minimum": -1, "maximum": 1}, y={"type": "number", "exclusiveMinimum": 0}),
    shape(n={"type": "integer", "exclusiveMinimum": 17, "exclusiveMaximum": 4711}),
    {"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 5},
    {"type": "array", "prefixItems": [SHORT, {"type": "integer"}], "items": False, "minItems": 2},
    {"anyOf": [PERSON, {"type": "null"}, shape(error=SHORT)]},
    {"oneOf": [shape(kind={"const": "cat"}, lives={"type": "integer", "minimum": 1, "maximum": 9}),
               shape(kind={"const": "dog"}, tricks={"type": "array", "items": SHORT, "maxItems": 2})]},
    {"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
               {"properties": {"b": SHORT}, "required": ["b"]}]},
    {"$defs": {"leaf": shape(value={"type": "integer"})},
     **shape(left={"$ref": "#/$defs/leaf"}, right={"$ref": "#/$defs/leaf"})},
    {"type": "object", "properties": {"a": SHORT, "b": {"type": "integer"}, "c": {"type": "boolean"}},
     "required": ["b"], "additionalProperties": False},
]


def setUpModule():
    if jsonschema is None:
        raise unittest.SkipTest("the Python package jsonschema is not here")
    default_model.pull(PROGRAM)


class StructuredOutput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = subprocess.Popen(
            [PROGRAM, "serve", MODEL, "--chip", "cpu", "--port", "0", "--context", "1024", "--no-request-log"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        cls.port = int(re.search(r":(\d+)/", cls.server.stdout.readline()).group(1))

    @classmethod
    def tearDownClass(cls):
        cls.server.terminate()
        cls.server.wait(60)
        cls.server.stdout.close()

    def ask(self, question="Tell me something.", **fields):
        body = {"model": MODEL, "messages": [{"role": "user", "content": question}], "temperature": 1,
                "max_tokens": 700, **fields}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        try:
            connection.request("POST", "/v1/chat/completions", json.dumps(body))
            answer = connection.getresponse()
            read = json.loads(answer.read())
        finally:
            connection.close()
        self.assertEqual(answer.status, 200, read)
        return [(choice["message"]["content"], choice["finish_reason"]) for choice in read["choices"]]

    def test_answers_fit_their_schemas(self):
        def ask(numbered):
            index, schema = numbered
            return self.ask(seed=index, response_format={
                "type": "json_schema", "json_schema": {"name": f"s{index}", "schema": schema}})

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(ask, enumerate(SCHEMAS)))
        for schema, choices in zip(SCHEMAS, answers):
            judge = jsonschema.Draft202012Validator(
                schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)
            for text, finish in choices:
                with self.subTest(schema=schema, text=text):
                    self.assertEqual(finish, "stop")
                    judge.validate(json.loads(text))

    def test_choices_stops_penalties_and_logprobs_go_with_it(self):
        several = self.ask(n=3, seed=5, guided_json=PERSON, frequency_penalty=1, presence_penalty=0.5)
        self.assertEqual(len(several), 3)
        for text, finish in several:
            self.assertEqual(finish, "stop")
            jsonschema.validate(json.loads(text), PERSON)
        (stopped, finish), = self.ask(seed=5, guided_json=PERSON, stop=['"age"'], logprobs=True, top_logprobs=2)
        self.assertEqual(finish, "stop")
        self.assertNotIn("age", stopped)
        (cut, finish), = self.ask(seed=5, guided_json=PERSON, max_tokens=4)
        self.assertEqual(finish, "length")
        self.assertTrue(cut.startswith("{"))

    def test_other_forms(self):
        for seed in range(4):
            (text, finish), = self.ask(seed=seed, guided_regex=r"[A-Z][a-z]{2,9}(, [A-Z][a-z]{2,9}){2}\.")
            self.assertEqual(finish, "stop")
            self.assertRegex(text, r"^[A-Z][a-z]{2,9}(, [A-Z][a-z]{2,9}){2}\.\Z")
            (text, finish), = self.ask(seed=seed, structured_outputs={"choice": ["yes", "no", "yes and no"]})
            self.assertIn(text, ["yes", "no", "yes and no"])
            (text, finish), = self.ask(seed=seed, ignore_eos=True, guided_grammar='root ::= sum\n'
                                       'sum ::= n (" + " n){1,3} # a sum\nn ::= [1-9] [0-9]{0,2}\n')
            self.assertEqual(finish, "stop")
            self.assertRegex(text, r"^[1-9]\d{0,2}( \+ [1-9]\d{0,2}){1,3}\Z")
            (text, finish), = self.ask("Give me a JSON object.", seed=seed, max_tokens=200,
                                       response_format={"type": "json_object"})
            if finish == "stop":
                self.assertIsInstance(json.loads(text), dict)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(verbosity=2)
