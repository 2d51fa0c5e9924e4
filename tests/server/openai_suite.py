"""What OpenAI's Python client must get from a server, whichever model it serves.

    openai_suite.py BASE_URL MODEL [KEY]

Each case is asked four ways: at once and streamed, by the synchronous and the asynchronous client. With a
seed, or greedily, all four must say the same. What an answer holds is checked by facts that are true for
every model; SWITCHYARD_SCRIPTED_ANSWER is the text of a server that always says the same. Any server
in front of ours passes unchanged.
"""

import asyncio
import base64
import dataclasses
import json
import math
import os
import pathlib
import struct
import sys
import unittest

import openai

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from sanitized import SANITIZED  # noqa: E402

BASE_URL, MODEL = sys.argv[1:3]
KEY = sys.argv[3] if len(sys.argv) > 3 else "none"
SCRIPTED = os.environ.get("SWITCHYARD_SCRIPTED_ANSWER")
MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name three colours."}]
PROMPT = "The colours of the rainbow are"
TIMEOUT = 600 if SANITIZED else 120


def client(**options):
    return openai.OpenAI(base_url=BASE_URL, max_retries=0, timeout=TIMEOUT, **{"api_key": KEY, **options})


@dataclasses.dataclass
class Told:
    """An answer, whole or put together from its chunks."""
    texts: dict = dataclasses.field(default_factory=dict)
    finish: dict = dataclasses.field(default_factory=dict)
    logprobs: dict = dataclasses.field(default_factory=dict)  # by choice: [(token, logprob, {token: logprob})]
    usage: object = None

    def add(self, choice, text):
        self.texts[choice.index] = self.texts.get(choice.index, "") + (text or "")
        if choice.finish_reason:
            assert choice.index not in self.finish, "a second finish_reason"
            self.finish[choice.index] = choice.finish_reason
        if choice.logprobs:
            self.logprobs.setdefault(choice.index, []).extend(entries(choice.logprobs))


def entries(logprobs):
    if hasattr(logprobs, "content"):
        return [(t.token, t.logprob, {b.token: b.logprob for b in t.top_logprobs}) for t in logprobs.content]
    best = logprobs.top_logprobs or [{}] * len(logprobs.tokens)
    return list(zip(logprobs.tokens, logprobs.token_logprobs, best, strict=True))


def text_of(choice):
    if hasattr(choice, "message"):
        return choice.message.content
    return choice.delta.content if hasattr(choice, "delta") else choice.text


def take(told, part):
    for choice in part.choices:
        told.add(choice, text_of(choice))
    told.usage = part.usage or told.usage


def arguments(endpoint, fields, stream):
    start = {"messages": MESSAGES} if endpoint == "chat" else {"prompt": PROMPT}
    asked = {"model": MODEL, **start, **fields}
    if stream:
        asked.update(stream=True, stream_options={"include_usage": True})
    return asked


def ask(endpoint, stream, **fields):
    api = client()
    create = (api.chat.completions if endpoint == "chat" else api.completions).create
    answer = create(**arguments(endpoint, fields, stream))
    told = Told()
    if not stream:
        take(told, answer)
        return told
    for chunk in answer:
        take(told, chunk)
    return told


async def ask_async(endpoint, stream, **fields):
    async with openai.AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0, timeout=TIMEOUT) as api:
        create = (api.chat.completions if endpoint == "chat" else api.completions).create
        answer = await create(**arguments(endpoint, fields, stream))
        told = Told()
        if not stream:
            take(told, answer)
            return told
        async for chunk in answer:
            take(told, chunk)
        return told


GREEDY = {"temperature": 0, "max_tokens": 12}
SEEDED = {"temperature": 1, "seed": 7, "max_tokens": 12}


def nothing(test, told):
    """The general facts are all that can be said."""


def two_answers(test, told):
    test.assertEqual(sorted(told.texts), [0, 1])
    if not SCRIPTED:
        test.assertNotEqual(told.texts[0], told.texts[1])


def full_length(test, told):
    test.assertEqual(told.finish, {0: "length"})
    test.assertEqual(told.usage.completion_tokens, 12)


def no_stop(test, told):
    if SCRIPTED:  # it knows no stops
        return
    test.assertNotIn("e", told.texts[0])
    test.assertEqual(told.finish, {0: "stop"})


def ends_with_stop(test, told):
    if SCRIPTED:
        return
    test.assertTrue(told.texts[0].endswith("e"), told.texts)
    test.assertEqual(told.texts[0].count("e"), 1)


def likely(count):
    def check(test, told):
        tokens = told.logprobs[0]
        test.assertEqual(len(tokens), told.usage.completion_tokens)
        test.assertEqual("".join(token for token, _, _ in tokens)[:len(told.texts[0])], told.texts[0])
        for token, logprob, best in tokens:
            test.assertLessEqual(logprob, 0)
            test.assertGreaterEqual(len(best), min(count, 1))
            test.assertLessEqual(len(best), count + 1)
            if count and not SCRIPTED:
                test.assertAlmostEqual(best[token], logprob, places=5)  # greedy: it is the best
                test.assertAlmostEqual(max(best.values()), logprob, places=5)
    return check


def fits(pattern):
    def check(test, told):
        if not SCRIPTED:
            test.assertRegex(told.texts[0], pattern)
    return check


SCHEMA = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"],
          "additionalProperties": False}


def extra(**fields):
    return {"extra_body": fields}


# Endpoint, fields, what is true of the answer.
CASES = [
    ("chat", {**GREEDY}, nothing),
    ("text", {**GREEDY}, nothing),
    ("chat", {**SEEDED}, nothing),
    ("text", {**SEEDED, "seed": -3}, nothing),
    ("chat", {**SEEDED, "n": 2}, two_answers),
    ("text", {**SEEDED, "n": 2}, two_answers),
    ("chat", {**GREEDY, "stop": "e"}, no_stop),
    ("text", {**GREEDY, "max_tokens": 60, "stop": ["e", "zzz"]}, no_stop),
    ("chat", {**GREEDY, "stop": ["e"], **extra(include_stop_str_in_output=True)}, ends_with_stop),
    ("chat", {"temperature": 0, "max_completion_tokens": 12, **extra(ignore_eos=True)}, full_length),
    ("text", {**GREEDY, **extra(ignore_eos=True, min_tokens=4)}, full_length),
    ("chat", {**SEEDED, "top_p": 0.5, "presence_penalty": 0.5, "frequency_penalty": 0.5, "user": "u"}, nothing),
    ("text", {**SEEDED, "top_p": 0.9, "presence_penalty": -1, "frequency_penalty": 1, "user": "u"}, nothing),
    ("chat", {**SEEDED, **extra(top_k=5, min_p=0.05, repetition_penalty=1.1, typical_p=0.9)}, nothing),
    ("chat", {**SEEDED, "logit_bias": {"40": -100, "41": 1}}, nothing),
    ("chat", {**GREEDY, "logprobs": True}, likely(0)),
    ("chat", {**GREEDY, "logprobs": True, "top_logprobs": 3}, likely(3)),
    ("text", {**GREEDY, "logprobs": 0}, likely(0)),
    ("text", {**GREEDY, "logprobs": 3}, likely(3)),
    ("chat", {**GREEDY, **extra(stop_token_ids=[3], skip_special_tokens=False, priority=1)}, nothing),
    ("chat", {**GREEDY, **extra(bad_words=["Red"], truncate_prompt_tokens=40)}, nothing),
    ("chat", {**GREEDY, "store": False, "metadata": {"a": "b"}, **extra(no_such_field=1)}, nothing),
    ("chat", {**GREEDY, "response_format": {"type": "text"}, "tool_choice": "none"}, nothing),
    ("chat", {**GREEDY, "response_format": {"type": "json_object"}}, fits(r"^\s*\{")),
    ("chat", {**SEEDED, "max_tokens": 40, "response_format": {
        "type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}}},
     fits(r'^\s*\{\s*"ok"\s*:\s*(true|false)\s*\}\s*$')),
    ("chat", {**SEEDED, **extra(structured_outputs={"choice": ["red", "green"]})}, fits("^(red|green)$")),
    ("text", {**SEEDED, **extra(guided_regex="[0-9]{3}")}, fits("^[0-9]{3}$")),
    ("text", {**GREEDY, "prompt": [72, 101, 108]}, nothing),
    ("text", {**GREEDY, "prompt": ["One", "Two"]},
     lambda test, told: test.assertEqual(sorted(told.texts), [0, 1])),
    ("text", {**GREEDY, "prompt": [[72, 101], [108]], "n": 2, "temperature": 1, "seed": 5},
     lambda test, told: test.assertEqual(sorted(told.texts), [0, 1, 2, 3])),
    ("text", {**GREEDY, "echo": True},
     lambda test, told: test.assertTrue(told.texts[0].startswith(PROMPT), told.texts)),
]


class Completions(unittest.TestCase):
    def check_all(self, endpoint, fields, check):
        ways = [ask(endpoint, False, **fields), ask(endpoint, True, **fields),
                *asyncio.run(self.both(endpoint, fields))]
        for told in ways:
            self.assertEqual(told.texts, ways[0].texts)
            self.assertEqual(told.finish, ways[0].finish)
            self.assertEqual(sorted(told.finish), sorted(told.texts))
            self.assertEqual(told.logprobs.keys(), ways[0].logprobs.keys())
            self.assertGreater(told.usage.prompt_tokens, 0)
            self.assertEqual(told.usage.total_tokens, told.usage.prompt_tokens + told.usage.completion_tokens)
            self.assertEqual(told.usage.completion_tokens, ways[0].usage.completion_tokens)
            check(self, told)

    @staticmethod
    async def both(endpoint, fields):
        return await asyncio.gather(ask_async(endpoint, False, **fields), ask_async(endpoint, True, **fields))

    def test_every_field(self):
        for endpoint, fields, check in CASES:
            with self.subTest(endpoint=endpoint, fields=fields):
                self.check_all(endpoint, fields, check)

    def test_the_best_of_several(self):
        answer = client().completions.create(model=MODEL, prompt=PROMPT, n=2, best_of=4, max_tokens=6,
                                             temperature=1, seed=3, logprobs=0)
        self.assertEqual([choice.index for choice in answer.choices], [0, 1])
        means = [sum(c.logprobs.token_logprobs) / len(c.logprobs.token_logprobs) for c in answer.choices]
        self.assertGreaterEqual(means[0], means[1])
        self.assertGreater(answer.usage.completion_tokens, 12)

    def test_the_scripted_answer(self):
        if not SCRIPTED:
            self.skipTest("a model answers")
        answer = client().chat.completions.create(model=MODEL, messages=MESSAGES)
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertEqual(answer.choices[0].message.content, SCRIPTED)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(answer.usage.completion_tokens, len(SCRIPTED))
        self.assertEqual(answer.usage.prompt_tokens_details.cached_tokens, 2)
        self.assertTrue(answer._request_id.startswith("req_"))
        token = client().chat.completions.create(model=MODEL, messages=MESSAGES, logprobs=True, max_tokens=1)
        self.assertEqual(token.choices[0].logprobs.content[0].bytes, [ord(SCRIPTED[0])])

    def test_the_shape_of_a_stream(self):
        chunks = list(client().chat.completions.create(**arguments("chat", GREEDY, True)))
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        self.assertEqual({chunk.object for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual(len({chunk.id for chunk in chunks}), 1)
        self.assertEqual([chunk.choices for chunk in chunks if chunk.usage], [[]])
        plain = list(client().chat.completions.create(model=MODEL, messages=MESSAGES, stream=True, **GREEDY))
        self.assertEqual([chunk.usage for chunk in plain if chunk.usage], [])

    def test_text_offsets(self):
        chunks = list(client().completions.create(**arguments("text", {**GREEDY, "logprobs": 1}, True)))
        parts = [c.choices[0].logprobs for c in chunks if c.choices and c.choices[0].logprobs]
        tokens = [token for part in parts for token in part.tokens]
        offsets = [offset for part in parts for offset in part.text_offset]
        self.assertEqual(offsets, [len("".join(tokens[:i])) for i in range(len(tokens))])

    def test_many_at_once(self):
        async def all_of_them():
            return await asyncio.gather(*(ask_async("chat", i % 2 == 0, **{**SEEDED, "max_tokens": 8})
                                          for i in range(20)))
        self.assertEqual(len({told.texts[0] for told in asyncio.run(all_of_them())}), 1)

    def test_a_stream_that_is_left_is_cancelled(self):
        with client().chat.completions.create(model=MODEL, messages=MESSAGES, stream=True) as stream:
            next(iter(stream))
        self.assertEqual(client().models.list().data[0].id, MODEL)

    def test_parts_and_roles_of_messages(self):
        answer = client().chat.completions.create(model=MODEL, max_tokens=4, messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Hello,"}, {"type": "text", "text": "you."}],
             "name": "ann"},
            {"role": "assistant", "content": "Hello."}, {"role": "user", "content": "Ünïcödé 😀"}])
        self.assertGreater(answer.usage.completion_tokens, 0)


TOOLS = [{"type": "function", "function": {
    "name": "paint", "description": "Paints a wall.",
    "parameters": {"type": "object", "required": ["colour", "coats"], "additionalProperties": False,
                   "properties": {"colour": {"enum": ["red", "green"]},
                                  "coats": {"type": "integer", "minimum": 1, "maximum": 3}}}}},
         {"type": "function", "function": {"name": "stop"}}]
CALL = {"id": "call_1", "type": "function",
        "function": {"name": "paint", "arguments": '{"colour": "red", "coats": 1}'}}


class Tools(unittest.TestCase):
    """What a model says of its own accord is not known; what tool_choice demands is."""

    def check(self, name, arguments):
        self.assertIn(name, ("paint", "stop"))
        if name == "stop":
            return self.assertEqual(arguments, {})
        self.assertEqual(sorted(arguments), ["coats", "colour"])
        self.assertIn(arguments["colour"], ("red", "green"))
        self.assertIn(arguments["coats"], (1, 2, 3))

    def call(self, stream, **fields):
        """The name and the arguments of the only call."""
        asked = arguments("chat", {**SEEDED, "max_tokens": 100, "tools": TOOLS, "parallel_tool_calls": False,
                                   **fields}, stream)
        answer = client().chat.completions.create(**asked)
        if not stream:
            (choice,) = answer.choices
            (call,) = choice.message.tool_calls
            self.assertEqual((choice.finish_reason, choice.message.content), ("tool_calls", None))
            return call.function.name, json.loads(call.function.arguments)
        name, text, finish = None, "", None
        for chunk in answer:
            for choice in chunk.choices:
                self.assertFalse(choice.delta.content)
                for part in choice.delta.tool_calls or []:
                    self.assertEqual(part.index, 0)
                    self.assertEqual(bool(part.id), name is None)
                    name = name or part.function.name
                    text += part.function.arguments
                finish = choice.finish_reason or finish
        self.assertEqual(finish, "tool_calls")
        return name, json.loads(text)

    def test_a_call_that_is_demanded(self):
        if SCRIPTED:
            self.skipTest("it fits no grammar")
        for seed in range(5):
            whole = self.call(False, tool_choice="required", seed=seed)
            self.check(*whole)
            self.assertEqual(self.call(True, tool_choice="required", seed=seed), whole)

    def test_a_function_that_is_named(self):
        if SCRIPTED:
            self.skipTest("it fits no grammar")
        for tool in TOOLS:
            chosen = {"type": "function", "function": {"name": tool["function"]["name"]}}
            name, given = self.call(False, tool_choice=chosen)
            self.assertEqual(name, tool["function"]["name"])
            self.check(name, given)

    def test_results_go_back(self):
        answer = client().chat.completions.create(model=MODEL, max_tokens=8, tools=TOOLS, messages=[
            *MESSAGES, {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "done"}])
        self.assertGreater(answer.usage.completion_tokens, 0)

    def test_what_is_wrong_with_them(self):
        for fields, param in (({"tool_choice": "required"}, "tool_choice"),
                              ({"tools": [{"type": "function"}]}, "tools[0].function"),
                              ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "no"}}},
                               "tool_choice")):
            with self.assertRaises(openai.BadRequestError) as caught:
                client().chat.completions.create(model=MODEL, messages=MESSAGES, **fields)
            self.assertEqual(caught.exception.param, param)


class Embeddings(unittest.TestCase):
    def test_inputs_of_every_kind(self):
        for given, count in (("a", 1), (["a", "b"], 2), ([97, 98], 1), ([[97], [98, 99]], 2)):
            answer = client().embeddings.create(model=MODEL, input=given)
            self.assertEqual([one.index for one in answer.data], list(range(count)))
            self.assertEqual(answer.usage.total_tokens, answer.usage.prompt_tokens)
            for one in answer.data:
                self.assertAlmostEqual(math.fsum(v * v for v in one.embedding), 1, places=4)

    def test_formats_and_dimensions(self):
        plain = client().embeddings.create(model=MODEL, input="Hello", encoding_format="float").data[0].embedding
        coded = client().embeddings.create(model=MODEL, input="Hello", encoding_format="base64").data[0].embedding
        data = base64.b64decode(coded)
        for a, b in zip(plain, struct.unpack(f"<{len(data) // 4}f", data), strict=True):
            self.assertAlmostEqual(a, b, places=6)
        shorter = client().embeddings.create(model=MODEL, input="Hello", dimensions=2).data[0].embedding
        length = math.hypot(*plain[:2])
        self.assertAlmostEqual(shorter[0], plain[0] / length, places=5)
        self.assertAlmostEqual(shorter[1], plain[1] / length, places=5)

    def test_asynchronously_and_alike(self):
        async def ask_some():
            async with openai.AsyncOpenAI(base_url=BASE_URL, api_key=KEY, max_retries=0) as api:
                return await asyncio.gather(*(api.embeddings.create(model=MODEL, input="Hello") for _ in range(5)))
        vectors = [answer.data[0].embedding for answer in asyncio.run(ask_some())]
        self.assertEqual(vectors, vectors[:1] * 5)


class Models(unittest.TestCase):
    def test_are_listed_and_found(self):
        listed = client().models.list().data[0]
        self.assertEqual((listed.id, listed.object), (MODEL, "model"))
        self.assertEqual(client().models.retrieve(MODEL).id, MODEL)
        with self.assertRaises(openai.NotFoundError):
            client().models.retrieve("no-such-model")


class Errors(unittest.TestCase):
    def refused(self, kind, call, **fields):
        with self.assertRaises(kind) as caught:
            call(**fields)
        return caught.exception.code, caught.exception.param

    def test_have_the_clients_types_and_fields(self):
        chat = client().chat.completions.create
        text = client().completions.create
        self.assertEqual(self.refused(openai.NotFoundError, chat, model="other", messages=MESSAGES),
                         ("model_not_found", "model"))
        bad = openai.BadRequestError
        for fields, code, param in (
                ({"temperature": 3}, "decimal_above_max_value", "temperature"),
                ({"n": 0}, "integer_below_min_value", "n"),
                ({"stop": [1]}, "invalid_type", "stop[0]"),
                ({"top_logprobs": 3}, "invalid_parameter_combination", "top_logprobs"),
                ({"logit_bias": {"x": 1}}, "invalid_value", "logit_bias"),
                ({"stream_options": {"include_usage": True}}, "invalid_parameter_combination", "stream_options"),
                ({"modalities": ["audio"]}, "unsupported_parameter", "modalities")):
            with self.subTest(fields=fields):
                self.assertEqual(self.refused(bad, chat, model=MODEL, messages=MESSAGES, **fields), (code, param))
        self.assertEqual(self.refused(bad, chat, model=MODEL, messages=[])[0], "empty_array")
        self.assertEqual(self.refused(bad, text, model=MODEL, prompt="a" * 20000)[0], "context_length_exceeded")
        self.assertEqual(self.refused(bad, text, model=MODEL, prompt="a", suffix="b"),
                         ("unsupported_parameter", "suffix"))
        self.assertEqual(self.refused(bad, text, model=MODEL, prompt="a", echo=True, logprobs=1)[1], "echo")
        self.assertEqual(self.refused(bad, client().embeddings.create, model=MODEL, input=[])[1], "input")

    def test_before_a_stream_begins(self):
        self.assertEqual(self.refused(openai.BadRequestError, client().chat.completions.create, model=MODEL,
                                      messages=MESSAGES, temperature=-1, stream=True)[1], "temperature")

    def test_a_wrong_key(self):
        if KEY == "none":
            self.skipTest("the server wants no key")
        with self.assertRaises(openai.AuthenticationError) as caught:
            client(api_key="sk-wrong").models.list()
        self.assertEqual(caught.exception.code, "invalid_api_key")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
