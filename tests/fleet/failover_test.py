#!/usr/bin/env python3
"""The sixteen scenarios of the public failoverbench catalogue (github.com/failoverbench/failoverbench,
scenarios/catalogue.yaml, methodology 0.1), made again with a faulty server and a healthy one behind a
gateway, with times that are shorter. What is asked of each is what its column "correct" asks, or better.

    failover_test.py PROGRAM
"""

import re
import sys
import threading
import time
import unittest

from faulty_upstream import ANSWER, MODEL, Upstream
from fleet import Gateway, ask, entry, get, wait_until

PROGRAM = ""
HEAD = """[timeouts]
connect_seconds = 1
first_token_seconds = 2
stall_seconds = 1
[watch]
probe = false
[breaker]
failures = 3
open_seconds = 1
"""


def once(fault):
    """Only the first request meets it."""
    return lambda handler, request, number: number == 1 and fault(handler, request, number)


def status(code, message="no", error=None, headers=None):
    def fault(handler, _request, _number):
        handler.error(code, message, error, headers)
        return True
    return fault


def reset(handler, _request, _number):
    handler.reset()
    return True


def silent(handler, _request, _number):
    time.sleep(20)
    handler.close_connection = True
    return True


def slow_first_token(handler, request, _number):
    handler.head()
    handler.event(handler.chunk({"role": "assistant", "content": ""}))
    time.sleep(10)
    return True


def cut(handler, request, _number):
    handler.answer(request, upto=40)
    handler.reset()
    return True


def stall(handler, request, _number):
    handler.answer(request, upto=20)
    time.sleep(15)
    handler.reset()
    return True


def malformed(handler, request, _number):
    handler.answer(request, between=lambda i: i == 9 and handler.event('{"choices": [{"delta": '))
    return True


def no_done(handler, request, _number):
    handler.answer(request, done=False)
    return True


class Failover(unittest.TestCase):
    def setUp(self):
        self.open = []

    def tearDown(self):
        for one in reversed(self.open):
            one.close()

    def fleet(self, fault, fallback=True, refuses_prefill=True, fallback_model=MODEL):
        self.primary = Upstream("primary", fault)
        self.open.append(self.primary)
        members = [entry("primary", self.primary.port, kind="openai", models=[MODEL])]
        if fallback:
            self.fallback = Upstream("fallback", None, refuses_prefill, fallback_model)
            self.open.append(self.fallback)
            members.append(entry("fallback", self.fallback.port, kind="openai", models=[MODEL]))
        # Chips of outside engines have no certificates of ours.
        self.gateway = Gateway(PROGRAM, members, HEAD)
        self.open.append(self.gateway)

    def chat(self, **fields):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Sixty words, please."}], "stream": True,
                "stream_options": {"include_usage": True}, **fields}
        began = time.monotonic()
        reply = ask(self.gateway.port, "/v1/chat/completions", body, timeout=60)
        self.seconds = time.monotonic() - began
        return reply

    def assert_whole(self, reply):
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.data[-1], "[DONE]", reply.body)
        self.assertEqual(reply.data.count("[DONE]"), 1)
        chunks = reply.chunks
        self.assertFalse([chunk for chunk in chunks if chunk.get("error")])
        deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
        self.assertEqual("".join(delta.get("content", "") for delta in deltas), ANSWER)
        self.assertEqual(sum(1 for delta in deltas if "role" in delta), 1)
        self.assertEqual(len({chunk["id"] for chunk in chunks}), 1)
        self.assertEqual([choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]
                          if choice["finish_reason"]], ["stop"])
        usage = [chunk["usage"] for chunk in chunks if chunk.get("usage")]
        self.assertEqual([one["completion_tokens"] for one in usage], [60])

    def test_s01_429_with_retry_after(self):
        fault = once(status(429, headers={"Retry-After": "2"}))
        self.fleet(fault)
        self.assert_whole(self.chat())
        self.assertLess(self.seconds, 1.5)  # somebody else was free
        self.fleet(fault, fallback=False)
        self.assert_whole(self.chat())
        self.assertGreaterEqual(self.primary.times[1] - self.primary.times[0], 1.8)
        self.assertLessEqual(self.primary.within(1.5), 2)

    def test_s02_429_without_retry_after(self):
        self.fleet(status(429))
        self.assert_whole(self.chat())
        self.assertEqual(self.primary.attempts, 1)
        self.fleet(status(429), fallback=False)
        self.assertEqual(self.chat().status, 429)
        self.assertLessEqual(self.primary.attempts, 6)
        self.assertLessEqual(self.primary.within(3), 4)

    def test_s03_500_once(self):
        self.fleet(once(status(500)), fallback=False)
        self.assert_whole(self.chat())
        self.assertEqual(self.primary.attempts, 2)

    def test_s04_503_persistent(self):
        self.fleet(status(503))
        self.assert_whole(self.chat())
        self.fleet(status(503, "overloaded by others"), fallback=False)
        reply = self.chat()
        self.assertEqual((reply.status, reply.json["error"]["message"]), (503, "overloaded by others"))
        self.assertLessEqual(self.primary.attempts, 6)

    def test_s05_reset_before_the_head(self):
        for fallback in (True, False):
            self.fleet(once(reset), fallback)
            self.assert_whole(self.chat())

    def test_s06_no_answer_at_all(self):
        self.fleet(silent)
        self.assert_whole(self.chat())
        self.assertLess(self.seconds, 5)
        self.assertEqual(self.primary.attempts, 1)
        self.fleet(silent, fallback=False)
        self.assertEqual(self.chat().status, 504)
        self.assertLess(self.seconds, 5)
        self.assertEqual(self.primary.attempts, 1)  # a silent route is not asked again

    def test_s07_slow_first_token(self):
        self.fleet(slow_first_token)
        self.assert_whole(self.chat())
        self.assertLess(self.seconds, 5)

    def test_s08_cut_in_the_middle(self):
        self.fleet(cut)
        reply = self.chat()
        self.assert_whole(reply)
        self.assertTrue([line for line in reply.comments if "handover level=3 from=primary to=fallback" in line])
        self.fleet(cut, fallback=False)
        reply = self.chat()
        self.assertNotIn("[DONE]", reply.data)
        self.assertEqual(reply.chunks[-1]["error"]["code"], "answer_interrupted")

    def test_s09_stall(self):
        self.fleet(stall)
        self.assert_whole(self.chat())
        self.assertLess(self.seconds, 5)
        self.assert_whole(self.chat())  # alive

    def test_s10_malformed_chunk(self):
        self.fleet(malformed, fallback=False)
        self.assert_whole(self.chat())
        self.assertEqual(self.primary.attempts, 1)

    def test_s11_no_done(self):
        self.fleet(no_done, fallback=False)
        self.assert_whole(self.chat())
        self.assertLess(self.seconds, 2)

    def test_s12_context_length(self):
        self.fleet(status(400, "too long", "context_length_exceeded"))
        reply = self.chat()
        self.assertEqual((reply.status, reply.json["error"]["code"]), (400, "context_length_exceeded"))
        self.assertEqual(self.primary.attempts + self.fallback.attempts, 1)

    def test_s12_better_where_a_larger_context_is_known(self):
        def too_long(handler, request, _number):
            handler.error(400, "This model's maximum context length is 100 tokens.")
            return True
        for contexts in ((100, 200), (200, 100), (100, 100), (100, None)):
            with self.subTest(contexts):
                members = [Upstream(f"u{i}", too_long if context == 100 else None, context=context)
                           for i, context in enumerate(contexts)]
                self.gateway = Gateway(PROGRAM, [entry(one.name, one.port, kind="openai", models=[MODEL])
                                                 for one in members], HEAD)
                self.open += [*members, self.gateway]
                reply = self.chat()
                attempts = [one.attempts for one in members]
                if 200 in contexts:
                    self.assert_whole(reply)
                    self.assertEqual(attempts[contexts.index(200)], 1)
                else:  # passed on from who was asked
                    self.assertEqual(sum(attempts), 1)
                    self.assertEqual(reply.status, 400 if contexts[attempts.index(1)] else 200)

    def test_s13_content_filter(self):
        self.fleet(status(400, "against our rules", "content_policy_violation"))
        reply = self.chat()
        self.assertEqual((reply.status, reply.json["error"]["code"]), (400, "content_policy_violation"))
        self.assertEqual((self.primary.attempts, self.fallback.attempts), (1, 0))

    def test_s14_fallback_refuses_prefill(self):
        self.fleet(cut, refuses_prefill=True)
        self.assert_whole(self.chat())
        self.assertEqual(self.fallback.attempts, 1)

    def test_s15_primary_flaps(self):
        end = time.monotonic() + 4

        def flap(handler, _request, _number):
            if time.monotonic() > end:
                return False
            handler.error(503, "down")
            return True
        self.fleet(flap)
        down, served = 0, []
        for _ in range(20):
            self.assert_whole(self.chat())
            served.append(self.primary.attempts)
            down += time.monotonic() < end
            time.sleep(0.4)
        self.assertGreater(down, 5)
        # While it is down it is only tried now and then; once it is up it serves again.
        self.assertLessEqual(served[down - 1], 6)
        self.assertGreater(served[-1], served[down - 1])

    def test_s16_who_answered(self):
        self.fleet(status(503), fallback_model="m-2026")
        reply = self.chat()
        self.assert_whole(reply)
        self.assertEqual({chunk["model"] for chunk in reply.chunks}, {"m-2026"})
        self.assertEqual(reply.headers["x-switchyard-member"], "fallback")

    def test_who_is_away_for_a_moment_is_waited_for(self):
        self.fleet(silent)
        self.fallback.is_away = True
        is_lost = re.compile(rb'member="fallback"[^}]*state="lost"} 1')
        wait_until(lambda: is_lost.search(get(self.gateway.port, "/metrics").body))

        # The other one has then been silent for too long.
        threading.Timer(4, setattr, (self.fallback, "is_away", False)).start()
        reply = self.chat()
        self.assert_whole(reply)
        self.assertEqual(reply.headers["x-switchyard-member"], "fallback")

    def test_nobody_is_waited_for_where_all_are_silent(self):
        self.fleet(silent, fallback=False)
        reply = self.chat()
        self.assertEqual((reply.status, reply.json["error"]["code"]), (504, "members_too_slow"))
        self.assertLess(self.seconds, 6)

    def test_whole_answers_too(self):
        for fault in (once(reset), once(status(500)), status(503)):
            self.fleet(fault)
            reply = self.chat(stream=False, stream_options=None)
            self.assertEqual(reply.json["choices"][0]["message"]["content"], ANSWER)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main(warnings="ignore")
