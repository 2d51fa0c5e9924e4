#!/usr/bin/env python3
"""What clients and operators of a gateway rely on beside failover, on the default model: members and
policies that change in mid-stream, the gateway's own end, clients that leave, several threads, TLS, keys
and their limits.

    serving_test.py PROGRAM
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

import fleet
from faulty_upstream import MODEL, Upstream
from fleet import Gateway, Member, ask, ask_and, entry, get, wait_until

PROGRAM = ""
PATH = "/v1/chat/completions"
QUESTION = {"model": fleet.MODEL, "messages": [{"role": "user", "content": "Tell a long story of a river."}],
            "max_tokens": 160, "min_tokens": 160, "temperature": 0.9, "seed": 3, "stream": True,
            "stream_options": {"include_usage": True}}
OPERATOR = {"Authorization": "Bearer ok-1"}


@contextlib.contextmanager
def once(act, *arguments):
    act(*arguments)
    yield


class OfMembers(unittest.TestCase):
    """Two real members, and a gateway for each test."""

    @classmethod
    def setUpClass(cls):
        fleet.pull(PROGRAM)
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        for name, key in (("operators", "ok-1"), ("own", "mk-own")):
            cls.write(name, key + "\n")
        cls.members = {name: cls.member() for name in "ab"}
        cls.undisturbed = ask(cls.members["a"].port, PATH, QUESTION).normal()

    @classmethod
    def tearDownClass(cls):
        for member in cls.members.values():
            member.close()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    @classmethod
    def write(cls, name, text):
        with open(cls.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    @classmethod
    def member(cls, *arguments, port=0):
        return Member(PROGRAM, "--member-key-file", cls.path("own"), *arguments, port=port)

    def gateway(self, head="", tls=None, **fields):
        self.entries = [entry(name, member.port, region=name, member_key_file=self.path("own"), **fields)
                        for name, member in self.members.items()]
        self.head = f'admin_key_file = "{self.path("operators")}"\n{head}'
        gateway = Gateway(PROGRAM, self.entries, self.head, tls)
        self.addCleanup(gateway.close)
        return gateway

    def assert_undisturbed(self, reply):
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.normal(), self.undisturbed)

    def order(self, gateway, verb, what):
        reply = ask(gateway.port, f"/switchyard/v1/fleet/{verb}", {"what": what}, OPERATOR)
        self.assertEqual(reply.status, 200, reply.body)

    def told(self, gateway, name):
        members = get(gateway.port, "/switchyard/v1/fleet", OPERATOR).json["members"]
        return next(member for member in members if member["name"] == name)

    def disturbed(self, gateway, act):
        """An answer that leaves its member because of `act(member's name)`."""
        for _ in range(5):
            reply = ask_and(lambda name: once(act, name), 6, gateway.port, PATH, QUESTION)
            if reply.comments or "error" in reply.chunks[-1]:
                return reply
        self.fail("it always came too late")

    def test_a_member_that_is_forbidden_in_mid_stream(self):
        gateway = self.gateway()
        forbidden = []

        def forbid(name):
            forbidden.append(name)
            self.order(gateway, "forbid", name)
        reply = self.disturbed(gateway, forbid)
        self.assert_undisturbed(reply)
        self.assertIn("cause=taken_out", reply.comments[0])
        self.order(gateway, "allow", forbidden[-1])
        # Nowhere to go: the error says what a refusal would have said.
        reply = self.disturbed(gateway, lambda name: [self.order(gateway, "forbid", one) for one in "ab"])
        self.assertEqual(reply.chunks[-1]["error"]["code"], "policy_forbidden")
        self.assertEqual(reply.chunks[-1]["error"]["type"], "policy_error")
        self.assertNotIn("[DONE]", reply.data)
        self.assertEqual({self.told(gateway, name)["load"]["in_flight"] for name in "ab"}, {0})

    def test_a_policy_that_changes_in_mid_stream(self):
        gateway = self.gateway()

        def keep_out(name):
            other = "b" if name == "a" else "a"
            gateway.write(self.entries, f'{self.head}\n[policy]\nregions = "{other}"\n')
            gateway.signal(signal.SIGHUP)
        for _ in range(2):
            reply = self.disturbed(gateway, keep_out)
            self.assert_undisturbed(reply)

    def test_a_member_that_gives_back_what_it_runs(self):
        gateway = self.gateway()
        ending = []

        def end(name):
            ending.append(name)
            self.members[name].signal(signal.SIGTERM)
        port = {name: member.port for name, member in self.members.items()}
        for name in "ab":  # those that end give back at once
            self.members[name].close()
            self.members[name] = self.member("--drain-seconds", "0", port=port[name])
        wait_until(lambda: {self.told(gateway, name)["state"] for name in "ab"} == {"ready"})
        try:
            reply = self.disturbed(gateway, end)
            self.assert_undisturbed(reply)
            self.assertIn("cause=hand_back", reply.comments[0])
            self.assertEqual(self.members[ending[-1]].process.wait(30), 0)
        finally:
            for name in set(ending):
                self.members[name].close()
                self.members[name] = self.member(port=port[name])

    def test_the_gateway_ends_when_its_streams_have(self):
        gateway = self.gateway()
        refused = []

        def end(_name):
            gateway.signal(signal.SIGTERM)
            wait_until(lambda: get(gateway.port, "/ready").status == 503)
            refused.append(ask(gateway.port, PATH, QUESTION).status)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            others = [pool.submit(ask, gateway.port, PATH, QUESTION) for _ in range(3)]
            wait_until(lambda: sum(self.told(gateway, name)["load"]["in_flight"] for name in "ab") == 3)
            replies = [ask_and(lambda name: once(end, name), 6, gateway.port, PATH, QUESTION),
                       *(other.result() for other in others)]
        for reply in replies:
            self.assert_undisturbed(reply)
        self.assertEqual(refused, [503])
        self.assertEqual(gateway.process.wait(30), 0)

    def test_several_threads_under_load_with_a_member_lost(self):
        gateway = self.gateway("io_threads = 3\n")
        port = self.members["b"].port
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            asked = [pool.submit(ask, gateway.port, PATH, QUESTION) for _ in range(24)]
            wait_until(lambda: self.told(gateway, "b")["load"]["in_flight"] > 0)
            self.members["b"].kill()
            replies = [one.result() for one in asked]
        self.members["b"].close()
        self.members["b"] = self.member(port=port)
        for reply in replies:
            self.assert_undisturbed(reply)
        wait_until(lambda: b"switchyard_gateway_in_flight 0\n" in get(gateway.port, "/metrics").body)
        self.assertIn(b"switchyard_gateway_request_seconds_count{} 24\n", get(gateway.port, "/metrics").body)

    def test_tls_on_both_sides(self):
        if not shutil.which("openssl"):
            self.skipTest("openssl is not here to make certificates")
        certificate, key = self.path("tls.pem"), self.path("tls.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=s", "-addext", "subjectAltName=IP:127.0.0.1",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        secret = [self.member("--tls-cert", certificate, "--tls-key", key) for _ in range(2)]
        for one in secret:
            self.addCleanup(one.close)
        tls = ssl.create_default_context(cafile=certificate)
        gateway = Gateway(PROGRAM, [entry(f"s{i}", one.port, url=f"https://127.0.0.1:{one.port}", ca_file=certificate,
                                          member_key_file=self.path("own")) for i, one in enumerate(secret)],
                          f'certificate_file = "{certificate}"\nkey_file = "{key}"\n', tls)
        self.addCleanup(gateway.close)
        reply = ask_and(lambda name: once(secret[int(name[1])].kill), 6, gateway.port, PATH, QUESTION, tls=tls)
        self.assert_undisturbed(reply)
        with self.assertRaises((OSError, http.client.HTTPException)):
            get(gateway.port, "/health")  # in the clear

    def test_keys_and_their_limits(self):
        self.write("clients", "sk-free\nsk-few name=few requests_per_minute=2\nsk-one name=one concurrent=1\n")
        gateway = self.gateway(f'api_key_file = "{self.path("clients")}"\n')
        short = {**QUESTION, "max_tokens": 1, "min_tokens": 0}
        by = lambda key, body=short: ask(gateway.port, PATH, body, {"Authorization": f"Bearer {key}"})
        self.assertEqual([by(key).status for key in ("", "sk-other", "ok-1", "sk-free")], [401, 401, 401, 200])
        replies = [by("sk-few") for _ in range(3)]
        self.assertEqual([reply.status for reply in replies], [200, 200, 429])
        self.assertEqual(replies[0].headers["x-ratelimit-limit-requests"], "2")
        self.assertGreater(int(replies[2].headers["Retry-After"]), 0)
        self.assertEqual(replies[2].json["error"]["code"], "rate_limit_exceeded")
        meanwhile = []
        reply = ask_and(lambda _: once(lambda: meanwhile.append(by("sk-one").status)), 3, gateway.port, PATH, QUESTION,
                        headers={"Authorization": "Bearer sk-one"})
        self.assert_undisturbed(reply)
        self.assertEqual((meanwhile, by("sk-one").status), ([429], 200))


class OfClientsThatLeave(unittest.TestCase):
    def test_their_request_is_cancelled_at_once_even_before_the_first_token(self):
        heard, gone = threading.Event(), threading.Event()

        def read_on(handler, _request, number):
            if number > 2:
                return False
            heard.set()
            handler.connection.settimeout(60)
            with contextlib.suppress(OSError):
                if not handler.connection.recv(1):  # it answers nothing, and sees its client close
                    gone.set()
            handler.close_connection = True
            return True
        upstream = Upstream("m", read_on)
        self.addCleanup(upstream.close)
        gateway = Gateway(PROGRAM, [entry("m", upstream.port, kind="openai", models=[MODEL])],
                          "[watch]\nprobe = false\n[breaker]\nfailures = 1\n")
        self.addCleanup(gateway.close)
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
        for stream in (True, False):
            connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=60)
            connection.request("POST", PATH, json.dumps({**body, "stream": stream}))
            self.assertTrue(heard.wait(30))
            connection.close()
            self.assertTrue(gone.wait(30))
            heard.clear()
            gone.clear()
        # Nobody is blamed for it.
        self.assertEqual(ask(gateway.port, PATH, body).status, 200)
        wait_until(lambda: b'requests_total{status="499"} 2' in get(gateway.port, "/metrics").body)


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(warnings="ignore")
