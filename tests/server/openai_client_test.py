#!/usr/bin/env python3
"""The official Python client against the server.

    openai_client_test.py SCRIPTED_SERVER BUILD_FOLDER

The package comes from PyPI into a virtual environment under the build folder, once; without a network
and without that folder the suite is skipped, saying so.
"""

import os
import pathlib
import subprocess
import sys
import unittest

import served

SERVER = None
ANSWER = "One two three, said the scripted engine."


def enter_environment(build):
    """Runs this file again with a Python that has the client."""
    folder = pathlib.Path(build) / "openai_venv"
    python = folder / "bin" / "python"
    if subprocess.run([python, "-c", "import openai"], capture_output=True).returncode != 0 \
            if python.exists() else True:
        for command in ([sys.executable, "-m", "venv", folder],
                        [python, "-m", "pip", "install", "--quiet", "openai"]):
            result = subprocess.run(command, capture_output=True, text=True)
            if result.returncode != 0:
                served.skip(f"the openai package cannot be had: {result.stderr.strip()[-300:]}")
    os.environ["SWITCHYARD_OPENAI_ENVIRONMENT"] = "1"
    os.execv(python, [str(python), *sys.argv])


def client(**options):
    import openai
    return openai.OpenAI(base_url=f"http://127.0.0.1:{SERVER.port}/v1", max_retries=0,
                         **{"api_key": "sk-right", **options})


MESSAGES = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]


class Chat(unittest.TestCase):
    def test_whole(self):
        answer = client().chat.completions.create(model="scripted", messages=MESSAGES)
        self.assertEqual(answer.object, "chat.completion")
        self.assertEqual(answer.choices[0].message.role, "assistant")
        self.assertEqual(answer.choices[0].message.content, ANSWER)
        self.assertEqual(answer.choices[0].finish_reason, "stop")
        self.assertEqual(answer.usage.completion_tokens, len(ANSWER))
        self.assertEqual(answer.usage.total_tokens,
                         answer.usage.prompt_tokens + answer.usage.completion_tokens)
        self.assertEqual(answer.usage.prompt_tokens_details.cached_tokens, 2)
        self.assertTrue(answer._request_id.startswith("req_"))

    def test_streamed(self):
        stream = client().chat.completions.create(model="scripted", messages=MESSAGES, stream=True,
                                                  stream_options={"include_usage": True})
        chunks = list(stream)
        self.assertEqual(chunks[0].choices[0].delta.role, "assistant")
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        self.assertEqual(text, ANSWER)
        self.assertEqual([c.choices[0].finish_reason for c in chunks if c.choices][-1], "stop")
        self.assertEqual(chunks[-1].choices, [])
        self.assertEqual(chunks[-1].usage.completion_tokens, len(ANSWER))
        self.assertEqual(len({c.id for c in chunks}), 1)

    def test_several_choices(self):
        answer = client().chat.completions.create(model="scripted", messages=MESSAGES, n=2, seed=3,
                                                  stop=["x"], max_tokens=3)
        self.assertEqual([c.index for c in answer.choices], [0, 1])
        self.assertEqual([c.finish_reason for c in answer.choices], ["length", "length"])
        texts = {0: "", 1: ""}
        for chunk in client().chat.completions.create(model="scripted", messages=MESSAGES, n=2,
                                                      max_completion_tokens=3, stream=True):
            texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
        self.assertEqual(texts, {0: "One", 1: "One"})

    def test_logprobs(self):
        answer = client().chat.completions.create(model="scripted", messages=MESSAGES,
                                                  logprobs=True, top_logprobs=2, max_tokens=2)
        content = answer.choices[0].logprobs.content
        self.assertEqual([token.token for token in content], ["O", "n"])
        self.assertEqual(content[0].bytes, [79])
        self.assertEqual(len(content[0].top_logprobs), 2)
        self.assertLess(content[0].top_logprobs[1].logprob, content[0].top_logprobs[0].logprob)

    def test_async(self):
        import asyncio
        import openai

        async def ask():
            async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{SERVER.port}/v1",
                                          api_key="sk-right") as asynchronous:
                async def one(stream):
                    if not stream:
                        answer = await asynchronous.chat.completions.create(
                            model="scripted", messages=MESSAGES)
                        return answer.choices[0].message.content
                    text = ""
                    async for chunk in await asynchronous.chat.completions.create(
                            model="scripted", messages=MESSAGES, stream=True):
                        text += chunk.choices[0].delta.content or ""
                    return text

                return await asyncio.gather(*(one(i % 2 == 0) for i in range(20)))

        self.assertEqual(set(asyncio.run(ask())), {ANSWER})

    def test_a_stream_that_is_left_is_cancelled(self):
        with client().chat.completions.create(model="scripted", messages=MESSAGES,
                                              stream=True) as stream:
            next(iter(stream))
        self.assertEqual(client().models.list().data[0].id, "scripted")


class Completions(unittest.TestCase):
    def test_prompts_of_every_kind(self):
        for prompt, count in (("a", 1), (["a", "b"], 2), ([97, 98], 1), ([[97], [98, 99]], 2)):
            answer = client().completions.create(model="scripted", prompt=prompt, max_tokens=3)
            self.assertEqual([choice.text for choice in answer.choices], ["One"] * count)
            self.assertEqual(answer.object, "text_completion")

    def test_streamed_with_logprobs(self):
        chunks = list(client().completions.create(model="scripted", prompt="a", max_tokens=3,
                                                  logprobs=1, stream=True))
        self.assertEqual("".join(c.choices[0].text for c in chunks), "One")
        offsets = [o for c in chunks if c.choices[0].logprobs for o in c.choices[0].logprobs.text_offset]
        self.assertEqual(offsets, [0, 1, 2])
        self.assertEqual(chunks[-1].choices[0].finish_reason, "length")


class Errors(unittest.TestCase):
    def test_have_the_clients_types_and_fields(self):
        import openai
        with self.assertRaises(openai.NotFoundError) as caught:
            client().chat.completions.create(model="other", messages=MESSAGES)
        self.assertEqual((caught.exception.code, caught.exception.param),
                         ("model_not_found", "model"))
        with self.assertRaises(openai.AuthenticationError) as caught:
            client(api_key="sk-wrong").models.list()
        self.assertEqual(caught.exception.code, "invalid_api_key")
        with self.assertRaises(openai.BadRequestError) as caught:
            client().chat.completions.create(model="scripted", messages=MESSAGES, temperature=3)
        self.assertEqual((caught.exception.code, caught.exception.param),
                         ("decimal_above_max_value", "temperature"))
        with self.assertRaises(openai.BadRequestError) as caught:
            client().chat.completions.create(
                model="scripted", messages=MESSAGES,
                tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}])
        self.assertEqual(caught.exception.param, "tools")
        with self.assertRaises(openai.BadRequestError) as caught:
            client().completions.create(model="scripted", prompt="a" * 5000)
        self.assertEqual(caught.exception.code, "context_length_exceeded")


if __name__ == "__main__":
    if "SWITCHYARD_OPENAI_ENVIRONMENT" not in os.environ:
        enter_environment(sys.argv[2])
    SERVER = served.Served(sys.argv[1], "sk-right")
    program = unittest.main(argv=sys.argv[:1], exit=False)
    ended = SERVER.stop()
    sys.exit(not program.result.wasSuccessful() or ended != 0)
