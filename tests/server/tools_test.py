#!/usr/bin/env python3
"""Tools and reasoning through the official Python client, against the scripted server.

    tools_test.py SCRIPTED_SERVER BUILD_FOLDER
"""

import json
import sys
import unittest

import client_environment
import served

SERVER = None
TOOLS = [{"type": "function",
          "function": {"name": "get_weather", "description": "The weather.",
                       "parameters": {"type": "object", "properties": {"city": {"type": "string"}},
                                      "required": ["city"]}}},
         {"type": "function", "function": {"name": "now"}}]
ARGUMENTS = {"city": "Bonn"}


def ask(words, **fields):
    import openai
    client = openai.OpenAI(base_url=SERVER.base_url, max_retries=0, api_key="sk-right")
    messages = words if isinstance(words, list) else [{"role": "user", "content": words}]
    return client.chat.completions.create(model="scripted", messages=messages, **fields)


def assemble(stream):
    """What a client puts together from a stream: a dictionary for each choice."""
    choices = {}
    for chunk in stream:
        for part in chunk.choices:
            choice = choices.setdefault(part.index, {"content": "", "reasoning": "", "calls": [],
                                                     "finish": None})
            choice["content"] += part.delta.content or ""
            choice["reasoning"] += getattr(part.delta, "reasoning_content", None) or ""
            for call in part.delta.tool_calls or []:
                if call.id:
                    assert call.index == len(choice["calls"]) and call.type == "function"
                    assert call.function.arguments == ""
                    choice["calls"].append({"id": call.id, "name": call.function.name, "arguments": []})
                else:
                    choice["calls"][call.index]["arguments"].append(call.function.arguments)
            choice["finish"] = part.finish_reason or choice["finish"]
    return choices


class Tools(unittest.TestCase):
    def test_whole(self):
        answer = ask("one call", tools=TOOLS)
        choice = answer.choices[0]
        self.assertEqual(choice.finish_reason, "tool_calls")
        self.assertIsNone(choice.message.content)
        (call,) = choice.message.tool_calls
        self.assertEqual((call.type, call.function.name), ("function", "get_weather"))
        self.assertTrue(call.id.startswith("call_"))
        self.assertEqual(json.loads(call.function.arguments), ARGUMENTS)
        self.assertGreater(answer.usage.completion_tokens, len(call.function.arguments))

    def test_streamed(self):
        stream = ask("one call", tools=TOOLS, stream=True, stream_options={"include_usage": True})
        chunks = list(stream)
        choice = assemble(chunks)[0]
        self.assertEqual((choice["content"], choice["finish"]), ("", "tool_calls"))
        (call,) = choice["calls"]
        self.assertEqual(json.loads("".join(call["arguments"])), ARGUMENTS)
        self.assertGreater(len(call["arguments"]), 5)  # as they come
        self.assertGreater(chunks[-1].usage.completion_tokens, 0)

    def test_the_clients_own_assembly(self):
        import openai
        client = openai.OpenAI(base_url=SERVER.base_url, api_key="sk-right")
        with client.chat.completions.stream(
                model="scripted", tools=TOOLS,
                messages=[{"role": "user", "content": "two calls"}]) as stream:
            kinds = {event.type for event in stream}
            message = stream.get_final_completion().choices[0].message
        self.assertIn("tool_calls.function.arguments.done", kinds)
        self.assertEqual(message.content, "Both.")
        self.assertEqual([json.loads(call.function.arguments) for call in message.tool_calls],
                         [ARGUMENTS, ARGUMENTS])

    def test_several_calls_and_choices(self):
        answer = ask("two calls", tools=TOOLS, n=2)
        self.assertEqual([len(choice.message.tool_calls) for choice in answer.choices], [2, 2])
        ids = {call.id for choice in answer.choices for call in choice.message.tool_calls}
        self.assertEqual(len(ids), 4)
        streamed = assemble(ask("two calls", tools=TOOLS, n=2, stream=True))
        self.assertEqual([len(streamed[i]["calls"]) for i in (0, 1)], [2, 2])
        self.assertEqual(streamed[1]["content"], "Both.")
        single = ask("two calls", tools=TOOLS, parallel_tool_calls=False)
        self.assertEqual(len(single.choices[0].message.tool_calls), 1)

    def test_a_result_goes_back(self):
        answer = ask("one call", tools=TOOLS)
        message = answer.choices[0].message
        messages = [{"role": "user", "content": "one call"}, message,
                    {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "rain"}]
        last = ask(messages, tools=TOOLS).choices[0]
        self.assertEqual((last.message.content, last.finish_reason), ("It rains.", "stop"))
        self.assertIsNone(last.message.tool_calls)

    def test_choices(self):
        text = ask("one call", tools=TOOLS, tool_choice="none").choices[0]
        self.assertIsNone(text.message.tool_calls)
        self.assertTrue(text.message.content.startswith("<tool_call>"))
        for choice in ("auto", "required", {"type": "function", "function": {"name": "get_weather"}}):
            called = ask("one call", tools=TOOLS, tool_choice=choice).choices[0]
            self.assertEqual(called.finish_reason, "tool_calls")

    def test_a_broken_call_is_content(self):
        broken = ask("a broken call", tools=TOOLS).choices[0]
        self.assertEqual(broken.finish_reason, "stop")
        self.assertEqual(broken.message.content, "<tool_call>get_weather(Bonn)</tool_call>")
        streamed = assemble(ask("a broken call", tools=TOOLS, stream=True))[0]
        self.assertEqual((streamed["content"], streamed["calls"]), (broken.message.content, []))

    def test_a_call_is_cut_by_the_limit(self):
        cut = ask("one call", tools=TOOLS, max_tokens=60).choices[0]
        self.assertEqual(cut.finish_reason, "length")
        self.assertTrue('{"city"'.startswith(cut.message.tool_calls[0].function.arguments[:7]))

    def test_logprobs_of_every_token_are_there(self):
        answer = ask("one call", tools=TOOLS, logprobs=True)
        count = len(answer.choices[0].logprobs.content)
        self.assertEqual(count, answer.usage.completion_tokens)
        streamed = ask("one call", tools=TOOLS, logprobs=True, stream=True)
        self.assertEqual(sum(len(c.choices[0].logprobs.content) for c in streamed
                             if c.choices and c.choices[0].logprobs), count)


class Reasoning(unittest.TestCase):
    def test_stands_apart(self):
        message = ask("a thought").choices[0].message
        self.assertEqual((message.reasoning_content, message.content), ("Hm.", "So."))
        streamed = assemble(ask("a thought", stream=True))[0]
        self.assertEqual((streamed["reasoning"], streamed["content"]), ("Hm.", "So."))
        without = ask("a thought", extra_body={"include_reasoning": False}).choices[0].message
        self.assertFalse(hasattr(without, "reasoning_content"))
        self.assertEqual(without.content, "So.")


if __name__ == "__main__":
    client_environment.enter(sys.argv[2])
    SERVER = served.Served(sys.argv[1], "sk-right")
    program = unittest.main(argv=sys.argv[:1], exit=False)
    ended = SERVER.stop()
    sys.exit(not program.result.wasSuccessful() or ended != 0)
