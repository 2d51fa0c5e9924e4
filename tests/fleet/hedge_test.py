#!/usr/bin/env python3
"""A second member is asked beside one that is slow to begin: whichever says a first token answers, the
other one is cancelled at once, and the answer is the same bytes either way.

    hedge_test.py PROGRAM

What is asked of real members needs the default model; without a network and without the model in the
cache those tests are skipped, saying so.
"""

import contextlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import fleet
from faulty_upstream import ANSWER, MODEL, Upstream
from fleet import Cutter, Gateway, Member, ask, entry, get, wait_until
from token_exact_test import CASES

PROGRAM = ""


def metric(port, name):
    """The sum of a metric's values over those labels that are not named in it."""
    text = get(port, "/metrics").body.decode()
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


class Slow:
    """Answers when so many seconds have passed, unless whoever asked has left before; the last of them is
    that of all further requests. A stream's head and role come at once: they are no token."""

    def __init__(self, *seconds, then=None):
        self.seconds = list(seconds)
        self.then = then
        self.left_at = []

    def __call__(self, handler, request, number):
        for patched in ("head", "event"):  # a connection's next request meets the same handler
            handler.__dict__.pop(patched, None)
        end = time.monotonic() + (self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0])
        if request.get("stream"):
            handler.head()
            handler.event(handler.chunk({"role": "assistant", "content": ""}))
            handler.head = lambda: None
            event = handler.event
            handler.event = lambda data: "role" in str(data) or event(data)
        while time.monotonic() < end:
            handler.connection.settimeout(0.01)
            with contextlib.suppress(TimeoutError):
                if handler.connection.recv(1, socket.MSG_PEEK) == b"":
                    self.left_at.append(time.monotonic())
                    handler.close_connection = True
                    return True
        handler.connection.settimeout(None)
        return self.then(handler, request, number) if self.then else False


class Hedge(unittest.TestCase):
    HEAD = "[timeouts]\nfirst_token_seconds = 20\n[watch]\nprobe = false\n"

    def setUp(self):
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)

    def fleet(self, hedge, first, second=None, policy="", **fields):
        """Members a, which is asked first, and b."""
        self.upstreams = [Upstream("a", first), Upstream("b", second)]
        self.members = [entry(one.name, one.port, kind="openai", models=[MODEL], **fields.get(one.name, {}))
                        for one in self.upstreams]
        self.head = f"{self.HEAD}{hedge}\n"
        self.gateway = Gateway(PROGRAM, self.members, self.head + policy)
        for one in (self.gateway, *self.upstreams):
            self.stack.callback(one.close)

    def chat(self, headers=None, **fields):
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Sixty words, please."}], "stream": True, **fields}
        began = time.monotonic()
        reply = ask(self.gateway.port, "/v1/chat/completions", body, headers, timeout=60)
        self.seconds = time.monotonic() - began
        return reply

    def assert_whole(self, reply, member):
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.headers["x-switchyard-member"], member)
        if reply.headers["Content-Type"].startswith("text/event-stream"):
            deltas = [choice["delta"] for chunk in reply.chunks for choice in chunk["choices"]]
            self.assertEqual("".join(delta.get("content", "") for delta in deltas), ANSWER)
            self.assertEqual(sum(1 for delta in deltas if "role" in delta), 1)
            self.assertEqual(reply.data.count("[DONE]"), 1)
            self.assertEqual(len({chunk["id"] for chunk in reply.chunks}), 1)
        else:
            self.assertEqual(reply.json["choices"][0]["message"]["content"], ANSWER)

    def ended(self, end):
        return metric(self.gateway.port, f'switchyard_gateway_hedges_total{{end="{end}"}}')

    def failures(self):
        return metric(self.gateway.port, "switchyard_gateway_member_failures_total")

    def in_flight(self):
        return metric(self.gateway.port, "switchyard_gateway_member_in_flight")

    def test_the_second_is_first_and_the_slow_one_cancelled_at_once(self):
        for stream in (True, False):
            slow = Slow(10)
            self.fleet("[hedge]\ndelay_ms = 200\nshare = 1", slow)
            began = time.monotonic()
            self.assert_whole(self.chat(stream=stream), "b")
            wait_until(lambda: slow.left_at, 2)
            self.assertGreaterEqual(slow.left_at[0] - began, 0.2)
            self.assertEqual(self.ended("won"), 1)
            self.assertEqual((self.failures(), self.in_flight()), (0, 0))

    def test_the_first_is_first_after_all(self):
        for stream in (True, False):
            slower = Slow(10)
            self.fleet("[hedge]\ndelay_ms = 100\nshare = 1", Slow(0.6), slower)
            reply = self.chat(stream=stream)
            self.assert_whole(reply, "a")
            self.assertRegex(reply.headers["x-switchyard-hedge"], r"^from=a to=b after_ms=\d+ by=a$")
            wait_until(lambda: slower.left_at, 2)
            self.assertEqual(self.ended("lost"), 1)
            self.assertEqual((self.failures(), self.in_flight()), (0, 0))

    def test_losers_never_trip_a_breaker(self):
        slow = Slow(5)
        self.fleet("[hedge]\ndelay_ms = 20\nshare = 1\n[breaker]\nfailures = 2\nshare = 0.1", slow)
        for _ in range(8):
            self.assert_whole(self.chat(), "b")
        wait_until(lambda: len(slow.left_at) == self.upstreams[0].attempts, 2)
        text = get(self.gateway.port, "/metrics").body.decode()
        self.assertRegex(text, r'switchyard_gateway_member\{member="a".*state="ready"\} 1')
        self.assertEqual(self.failures(), 0)

    def test_off_unless_the_table_is_there(self):
        self.fleet("", Slow(0.5))
        self.assert_whole(self.chat(), "a")
        self.assertEqual(self.upstreams[1].attempts, 0)

    def test_no_more_than_their_share(self):
        # Of ten requests one may be hedged.
        self.fleet("[hedge]\ndelay_ms = 20\nshare = 0.1", Slow(0.1), Slow(0.1))
        for _ in range(20):
            self.assertEqual(self.chat().status, 200)
        hedged = self.ended("won") + self.ended("lost")
        self.assertLessEqual(hedged, 2)
        self.assertGreaterEqual(hedged, 1)
        self.assertGreater(self.ended("no_budget"), 0)

    def test_by_what_first_tokens_took_of_late(self):
        fault = Slow(0.03)
        self.fleet("[hedge]\npercentile = 0.9\nshare = 1", fault, fault)
        for _ in range(20):
            self.assertNotIn("x-switchyard-hedge", self.chat().headers)  # too few were seen
        fault.seconds[:] = [5, 0.03]
        reply = self.chat()
        self.assertIn("x-switchyard-hedge", reply.headers)
        self.assertLess(self.seconds, 2, reply.headers)

    def test_only_whom_policy_allows(self):
        self.fleet("[hedge]\ndelay_ms = 50\nshare = 1", Slow(0.5), a={"region": "north"}, b={"region": "south"})
        self.assert_whole(self.chat({"x-switchyard-region": "north"}), "a")
        self.assertEqual(self.upstreams[1].attempts, 0)
        self.assertEqual(self.ended("nobody"), 1)
        reply = self.chat({"x-switchyard-region": "north, south"})
        self.assert_whole(reply, reply.headers["x-switchyard-member"])
        self.assertEqual(self.upstreams[1].attempts, 1)

    def test_only_who_has_a_certificate_where_that_is_wanted(self):
        policy = "[policy]\ncertificates = 'always'\n"
        self.fleet("[hedge]\ndelay_ms = 50\nshare = 1", Slow(0.5), policy=policy, a={"vouched_for": True})
        self.assert_whole(self.chat(), "a")
        self.assertEqual(self.upstreams[1].attempts, 0)

    def test_a_policy_that_changes_meanwhile_ends_it(self):
        second = Slow(20)
        self.fleet("[hedge]\ndelay_ms = 50\nshare = 1", Slow(3), second, a={"region": "north"}, b={"region": "south"})
        replies = []
        asking = threading.Thread(target=lambda: replies.append(self.chat()))
        asking.start()
        wait_until(lambda: self.upstreams[1].attempts == 1)
        self.gateway.write(self.members, self.head + "[policy]\nregions = ['north']\n")
        self.gateway.signal(signal.SIGHUP)
        wait_until(lambda: second.left_at, 2)
        asking.join()
        self.assert_whole(replies[0], "a")
        self.assertEqual(self.ended("failed"), 1)

    def test_a_second_that_fails_changes_nothing(self):
        def refuse(handler, _request, _number):
            handler.error(500, "no")
            return True

        for fault in (refuse, lambda handler, _request, _number: handler.reset() or True):
            self.fleet("[hedge]\ndelay_ms = 50\nshare = 1", Slow(0.6), fault)
            reply = self.chat()
            self.assert_whole(reply, "a")
            self.assertEqual((self.ended("failed"), self.failures()), (1, 1))

    def test_where_the_first_fails_the_second_is_there_already(self):
        for stream in (True, False):
            first = Slow(0.4, then=lambda handler, _request, _number: handler.reset() or True)
            self.fleet("[hedge]\ndelay_ms = 100\nshare = 1", first, Slow(0.8))
            self.assert_whole(self.chat(stream=stream), "b")
            self.assertLess(self.seconds, 1.4)
            self.assertEqual(self.upstreams[1].attempts, 1)
            self.assertEqual((self.ended("won"), self.failures()), (1, 1))

    def test_a_client_that_leaves_cancels_both(self):
        both = [Slow(20), Slow(20)]
        self.fleet("[hedge]\ndelay_ms = 50\nshare = 1", *both)
        with contextlib.suppress(TimeoutError):
            ask(self.gateway.port, "/v1/chat/completions",
                {"model": MODEL, "messages": [{"role": "user", "content": "a"}], "stream": True}, timeout=0.5)
        wait_until(lambda: all(one.left_at for one in both), 2)
        wait_until(lambda: self.in_flight() == 0, 2)
        self.assertEqual((self.ended("dropped"), self.failures()), (1, 0))

    def test_it_is_told_why(self):
        with open(self.stack.enter_context(fleet.tempfile.NamedTemporaryFile("w+")).name, "w") as keys:
            keys.write("ok-1 name=ann\n")
        HEAD, self.HEAD = self.HEAD, f'admin_key_file = "{keys.name}"\n' + self.HEAD
        self.fleet("[hedge]\ndelay_ms = 50\nshare = 1", Slow(5))
        self.HEAD = HEAD
        reply = self.chat()
        told = subprocess.run([PROGRAM, "fleet", "--gateway", f"http://127.0.0.1:{self.gateway.port}", "--key-file",
                               keys.name, "explain", reply.headers["x-request-id"]],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertRegex(told.stdout, r"(?s)begin: to a\n.*hedge after \d+ ms without a token: to b\n.*"
                                      r"hedge: to b\n +b is listened to instead of a\n")
        self.assertRegex(self.gateway.errors(), r"from=a to=b after_ms=\d+ by=b")


class Late(Cutter):
    """Passes the answers of its member on late: by what `delays` holds for the next of all requests."""

    def __init__(self, port, delays):
        self.delays = delays
        super().__init__(port)

    def serve(self, client):
        member = socket.create_connection(("127.0.0.1", self.target))
        for one in (client, member):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        ready = [0.0]

        def back():
            with contextlib.suppress(OSError):
                while data := member.recv(65536):
                    time.sleep(max(0.0, ready[0] - time.monotonic()))
                    client.sendall(data)
                client.shutdown(socket.SHUT_WR)

        threading.Thread(target=back, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if data.startswith(b"POST /v1/"):
                    ready[0] = time.monotonic() + self.delays.pop(0)
                member.sendall(data)
        # Who asked has left: the member hears of it.
        for one in (client, member):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class RealMembers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        fleet.pull(PROGRAM)
        cls.members = [Member(PROGRAM), Member(PROGRAM)]
        cls.delays = []
        cls.links = [Late(member.port, cls.delays) for member in cls.members]
        cls.gateway = Gateway(PROGRAM, [entry(f"m{i}", link.port) for i, link in enumerate(cls.links)],
                              "[watch]\nprobe = false\n[hedge]\ndelay_ms = 150\nshare = 1\n")

    @classmethod
    def tearDownClass(cls):
        cls.gateway.close()
        for one in (*cls.links, *cls.members):
            one.close()

    def test_the_same_bytes_whoever_is_first(self):
        won = {"first": 0, "second": 0}
        for name in ("greedy", "sampled", "several choices", "a tool", "a schema", "a stop string", "logprobs",
                     "a completion", "several prompts"):
            path, wanted = CASES[name]
            for stream in (True, False):
                body = {**wanted, "seed": wanted.get("seed", 1), "stream": stream}
                if stream:
                    body["stream_options"] = {"include_usage": True}
                undisturbed = ask(self.members[0].port, path, body)
                self.assertEqual(undisturbed.status, 200)
                for delays in ([3.0, 0.0], [0.6, 3.0]):
                    with self.subTest(name, stream=stream, delays=delays):
                        self.delays[:] = delays
                        reply = ask(self.gateway.port, path, body)
                        told = re.match(r"from=(\w+) to=(\w+) after_ms=\d+ by=(\w+)", reply.headers["x-switchyard-hedge"])
                        first, second, by = told.groups()
                        if not fleet.SANITIZED:  # or a member takes longer than these delays
                            self.assertEqual(by, second if delays[0] > 1 else first)
                        self.assertEqual(by, reply.headers["x-switchyard-member"])
                        won["second" if by == second else "first"] += 1
                        self.assertEqual(reply.normal(), undisturbed.normal())
                        self.assertFalse([line for line in reply.comments if "handover" in line])
        print(f"hedges won by the first: {won['first']}, by the second: {won['second']}", file=sys.stderr)
        self.assertEqual(metric(self.gateway.port, "switchyard_gateway_member_failures_total"), 0)
        # Nothing goes on at a member that lost.
        wait_until(lambda: all(metric(member.port, "vllm:num_requests_running") == 0 for member in self.members), 10)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
