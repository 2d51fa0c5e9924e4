#!/usr/bin/env python3
"""How an answer goes on with an outside engine, by what that engine can do: its message is continued,
it is begun anew, or it ends with an error where neither is safe.

    levels_test.py PROGRAM
"""

import collections
import sys
import tempfile
import unittest

import fleet
import outside_engine
from faulty_upstream import FIRST_ID, MODEL, PROMPT_IDS, WORDS, Upstream, words_of
from fleet import Gateway, ask, entry, get, wait_until

PROGRAM = ""
HEAD = """admin_key_file = "{keys}"
[timeouts]
first_token_seconds = 10
stall_seconds = 5
[watch]
every_seconds = 0.1
[breaker]
failures = 100
share = 1.0
"""
CUT = 40  # words, of the first member


def cut(handler, request, _number):
    handler.answer(request, upto=CUT)
    handler.leave()
    return True


def cut_in(delta):
    """Behind some words comes a piece of something else than text, and no more."""
    def fault(handler, request, _number):
        handler.answer(request, upto=5)
        handler.event(handler.chunk(delta))
        handler.leave()
        return True
    return fault


HALF_A_CALL = {"tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                               "function": {"name": "f", "arguments": "{\"a"}}]}


class Levels(unittest.TestCase):
    def fleet(self, fault, level=3, **fallback):
        """Who answers first fails by `fault`; `level` is what the other one is found to be able to."""
        self.primary = Upstream("primary", fault, abilities=fallback.get("abilities", ()))
        self.fallback = Upstream("fallback", fallback.pop("answers", None), **fallback)
        members = [entry(one.name, one.port, kind="openai", models=[MODEL]) for one in (self.primary, self.fallback)]
        keys = tempfile.NamedTemporaryFile("w")
        keys.write("ok-1\n")
        keys.flush()
        self.gateway = Gateway(PROGRAM, members, HEAD.format(keys=keys.name))
        for one in (keys, self.primary, self.fallback, self.gateway):
            self.addCleanup(one.close)
        wait_until(lambda: self.levels() == {level})

    def levels(self):
        told = get(self.gateway.port, "/switchyard/v1/fleet", {"Authorization": "Bearer ok-1"}).json
        return {member["hand_over_level"] for member in told["members"]}

    def chat(self, **fields):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Sixty words, please."}], "stream": True,
                "stream_options": {"include_usage": True}, **fields}
        for _ in range(10):
            reply = ask(self.gateway.port, "/v1/chat/completions", body, timeout=60)
            if self.primary.attempts:
                break  # else the other one was asked first
        self.assertEqual(reply.status, 200, reply.body)
        return reply

    def assert_whole(self, reply, choices=1):
        self.assertEqual(reply.data[-1], "[DONE]", reply.body)
        chunks = reply.chunks
        self.assertFalse([chunk for chunk in chunks if chunk.get("error")])
        self.assertEqual({chunk["object"] for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual(len({chunk["id"] for chunk in chunks}), 1)
        for i in range(choices):
            parts = [choice for chunk in chunks for choice in chunk["choices"] if choice["index"] == i]
            self.assertEqual("".join(part["delta"].get("content") or "" for part in parts), "".join(words_of(i)))
            self.assertEqual(sum("role" in part["delta"] for part in parts), 1)
            self.assertEqual([part["finish_reason"] for part in parts if part["finish_reason"]], ["stop"])
        usage = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
        self.assertEqual([one["completion_tokens"] for one in usage], [60 * choices])

    def assert_moved(self, reply, *levels):
        self.assertEqual([line[len(": handover level="):][0] for line in reply.comments if "handover" in line],
                         [str(level) for level in levels], reply.comments)

    def test_a_message_is_continued(self):
        self.fleet(cut, 2, abilities=("continue",), refuses_prefill=False)
        reply = self.chat(max_tokens=100, temperature=0.3)
        self.assert_whole(reply)
        self.assert_moved(reply, 2)
        asked = self.fallback.requests[-1]
        self.assertEqual(asked["messages"][-1], {"role": "assistant", "content": "".join(WORDS[:CUT])})
        self.assertEqual((asked["continue_final_message"], asked["add_generation_prompt"]), (True, False))
        self.assertEqual((asked["max_tokens"], asked["temperature"]), (100 - CUT, 0.3))

    def test_tokens_are_the_prompt_of_what_is_left(self):
        self.fleet(cut, 2, abilities=("token_ids", "token_prompts"))
        reply = self.chat(max_tokens=100, temperature=0.3, seed=5)
        self.assert_whole(reply)
        self.assert_moved(reply, 2)
        asked = self.fallback.requests[-1]
        self.assertEqual(asked["path"], "/v1/completions")
        self.assertEqual(asked["prompt"], PROMPT_IDS + [FIRST_ID + i for i in range(CUT)])
        self.assertEqual((asked["max_tokens"], asked["temperature"], asked["seed"]), (100 - CUT, 0.3, 5))
        self.assertNotIn("messages", asked)
        self.assertNotIn(b"token_ids", reply.body)  # nobody asked for them
        usage = [chunk["usage"] for chunk in reply.chunks if chunk.get("usage")]
        self.assertEqual((usage[0]["prompt_tokens"], usage[0]["total_tokens"]), (7, 67))

    def test_tokens_without_text_are_drawn_again(self):
        def no_text(handler, request, _number):
            handler.answer(request, upto=CUT)
            for i in (CUT, CUT + 1):  # bytes of one character, perhaps
                chunk = handler.word(request, i)
                chunk["choices"][0]["delta"] = {"content": ""}
                handler.event(chunk)
            handler.leave()
            return True
        self.fleet(no_text, 2, abilities=("token_ids", "token_prompts"))
        reply = self.chat(max_tokens=100)
        self.assert_whole(reply)
        self.assert_moved(reply, 2)
        self.assertEqual(self.fallback.requests[-1]["prompt"][-1], FIRST_ID + CUT - 1)

    def test_with_stop_strings_or_no_limit_tokens_are_no_prompt(self):
        for fields in ({"max_tokens": 100, "stop": ["no such word"]}, {}):
            self.fleet(cut, 2, abilities=("token_ids", "token_prompts"))
            reply = self.chat(**fields)
            self.assert_whole(reply)
            self.assert_moved(reply, 3)

    def test_who_refuses_the_continuation_after_all_begins_anew(self):
        self.fleet(cut, 2, abilities=("continue",), refuses_prefill=True)
        reply = self.chat()
        self.assert_whole(reply)
        self.assert_moved(reply, 2, 3)
        self.assertEqual(self.fallback.requests[-1]["messages"][-1]["role"], "user")

    def test_who_cannot_continue_is_not_asked_to(self):
        self.fleet(cut, 3)
        reply = self.chat()
        self.assert_whole(reply)
        self.assert_moved(reply, 3)
        self.assertEqual(self.fallback.attempts, 1)

    def test_several_choices_begin_anew_and_each_goes_on_where_it_was(self):
        self.fleet(cut, 2, abilities=("continue",), refuses_prefill=False)
        reply = self.chat(n=3)
        self.assert_whole(reply, 3)
        self.assert_moved(reply, 3)

    def test_half_a_call_or_a_thought_ends_with_an_error(self):
        for delta in (HALF_A_CALL, {"reasoning_content": "Hm"}):
            self.fleet(cut_in(delta), 2, abilities=("continue",), refuses_prefill=False)
            reply = self.chat()
            self.assertNotIn("[DONE]", reply.data)
            self.assertEqual(reply.chunks[-1]["error"]["code"], "answer_interrupted")
            self.assertIn("primary", reply.chunks[-1]["error"]["message"])
            self.assert_moved(reply)

    def test_before_anything_was_said_tools_move_as_well(self):
        def nothing(handler, _request, _number):
            handler.head()
            handler.leave()
            return True
        self.fleet(nothing, 2, abilities=("continue",), refuses_prefill=False)
        self.assert_whole(self.chat(tools=[{"type": "function", "function": {"name": "f"}}]))

    def test_another_text_is_no_continuation(self):
        def other(handler, request, _number):
            handler.head()
            handler.event(handler.chunk({"role": "assistant", "content": ""}))
            handler.event(handler.chunk({"content": "something else"}))
            handler.leave()
            return True
        self.fleet(cut, 3, answers=other)
        reply = self.chat()
        self.assertNotIn("[DONE]", reply.data)
        self.assertIn("fallback: it began anew with another text", reply.chunks[-1]["error"]["message"])


class OfRealEngines(unittest.TestCase):
    """Servers of ours that the gateway takes for outside engines: what they say is theirs, at every token."""

    def moved(self, levels):
        """How answers of members that are found to be of these levels moved."""
        fleet.pull(PROGRAM)
        members = [fleet.Member(PROGRAM) for _ in levels]
        for member in members:
            self.addCleanup(member.close)
        ports = [member.port for member in members]
        moved = collections.Counter()
        with outside_engine.cut_fleet(PROGRAM, list(zip(ports, levels)), fleet.MODEL) as (gateway, cut):
            for path, body in outside_engine.questions(fleet.MODEL, 16):
                undisturbed = outside_engine.said(ask(ports[0], path, body))
                moved += outside_engine.cut_everywhere(gateway.port, cut, path, body, undisturbed)
        return moved

    def test_tokens_go_on_to_the_same_text(self):
        self.assertGreater(self.moved([2, 2])["at level 2"], 25)

    def test_from_one_of_ours_and_back(self):
        moved = self.moved([1, 2])
        self.assertGreater(moved["at level 1"] + moved["at level 2"], 25)
        self.assertGreater(moved["when all was said"], 0)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(warnings="ignore")
