#!/usr/bin/env python3
"""An answer whose member is lost at any of its tokens comes out byte for byte as if nothing had
failed: streamed and whole, of several choices, with tools and with a schema.

    token_exact_test.py PROGRAM

Under a sanitizer, where an answer takes seconds, it is lost at every eighth of its tokens.
Without a network and without the model in the cache the tests are skipped, saying so.
"""

import sys
import unittest

import fleet
from fleet import MODEL, Cut, Cutter, Gateway, Member, ask, entry
from sanitized import SANITIZED

PROGRAM = ""
EVENTS_BETWEEN_CUTS = 8 if SANITIZED else 1
TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "Weather of a city",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                   "required": ["city", "days"]}}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": {
    "type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"], "additionalProperties": False}}}


def chat(text, **fields):
    return "/v1/chat/completions", {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}


def text(prompt, **fields):
    return "/v1/completions", {"model": MODEL, "prompt": prompt, **fields}


CASES = {
    "greedy": chat("Name three colours.", max_tokens=12, temperature=0),
    "sampled": chat("Say something odd.", max_tokens=12, temperature=1.2, seed=7, top_p=0.95,
                    frequency_penalty=0.6),
    "characters of several bytes": chat("Répète: héé ☃ 日本語 😀", max_tokens=14, temperature=1.0, seed=3),
    "several choices": chat("Tell me a word.", max_tokens=5, temperature=1.1, seed=11, n=3),
    "a tool": chat("What is the weather in Paris?", max_tokens=48, temperature=0.8, seed=5, tools=TOOLS,
                   tool_choice="required"),
    "a schema": chat("A person.", max_tokens=40, temperature=0.9, seed=9, response_format=SCHEMA),
    "a stop string": chat("Count from one to ten in digits.", max_tokens=24, temperature=0.7, seed=2,
                          stop=["5", "\n\n"]),
    "logprobs": chat("Hello!", max_tokens=6, temperature=1.0, seed=4, logprobs=True, top_logprobs=2),
    "token ids": chat("Hello!", max_tokens=6, temperature=1.0, seed=4, return_token_ids=True),
    "a completion": text("Once upon a time", max_tokens=8, temperature=1.0, seed=6, logprobs=1),
    "echo": text("The sea is", max_tokens=5, temperature=1.0, seed=6, echo=True),
    "several prompts": text(["One two", "Red green"], max_tokens=4, temperature=1.0, seed=8, n=2),
}


def setUpModule():
    fleet.pull(PROGRAM)


class TokenExact(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.members = [Member(PROGRAM), Member(PROGRAM)]
        cls.cut = Cut()
        cls.cutters = [Cutter(member.port, cls.cut) for member in cls.members]
        cls.gateway = Gateway(PROGRAM, [entry(f"m{i}", cutter.port) for i, cutter in enumerate(cls.cutters)],
                              "[breaker]\nfailures = 100000\nshare = 1.0\n")
        cls.direct = cls.members[1].port

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()
        for cutter in cls.cutters:
            cutter.close()
        for member in cls.members:
            member.close()

    def each_cut(self, name, stream, inside=0):
        path, body = CASES[name]
        body = {**body, "seed": body.get("seed", 1), "stream": stream}
        if stream:
            body["stream_options"] = {"include_usage": True}
        undisturbed = ask(self.direct, path, body)
        self.assertEqual(undisturbed.status, 200, undisturbed.body)
        for events in range(0, 1000, EVENTS_BETWEEN_CUTS):
            before = self.cut.done
            self.cut.set(events, inside)
            reply = ask(self.gateway.port, path, body)
            self.assertEqual(reply.status, 200, reply.body)
            self.assertEqual(reply.normal(), undisturbed.normal(), f"{name}, cut behind {events} events")
            self.assertEqual(len(reply.ids()), 1)
            if self.cut.done == before:
                break  # nothing was left to cut
        self.cut.set(None)
        self.assertGreater(events, 3)
        return events

    def test_streams(self):
        for name in CASES:
            with self.subTest(name):
                print(f"{name}: {self.each_cut(name, True)} cuts", file=sys.stderr)

    def test_streams_cut_inside_an_event(self):
        for name in ("sampled", "several choices"):
            with self.subTest(name):
                self.each_cut(name, True, inside=30)

    def test_whole_answers(self):
        for name in CASES:
            with self.subTest(name):
                print(f"{name}, whole: {self.each_cut(name, False)} cuts", file=sys.stderr)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(warnings="ignore")
