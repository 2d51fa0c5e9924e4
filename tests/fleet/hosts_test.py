#!/usr/bin/env python3
"""A fleet on several hosts, on the default model: answers come out byte for byte as if nothing had
happened while links break, break one way, or are slow, members stop, etcd goes and comes back, a gateway
is started again, and clocks are wrong.

    hosts_test.py PROGRAM

The hosts are network namespaces of this machine (hosts.py). Without the right to make them, without etcd
and without libfaketime what needs them is skipped, saying so.
"""

import concurrent.futures
import contextlib
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import fleet
import hosts

PROGRAM = ""
PORT = 8080
FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
HEAD = """audit_file = "audit.db"
[listen]
host = "{address}"
port = 8080
admin_key_file = "operators"
member_key_file = "members"
request_log = "-"
[registry]
lease_seconds = 3
{registry}
[timeouts]
connect_seconds = 1
first_token_seconds = {first_token_seconds}
stall_seconds = {stall_seconds}
[retry]
attempts = 64
[watch]
every_seconds = 0.5
timeout_seconds = 1
[breaker]
open_seconds = 0.5
longest_seconds = 1
"""
# Long enough that a fault comes in the midst of them.
QUESTIONS = [
    {"max_tokens": 160, "min_tokens": 160, "temperature": 0.9, "seed": 3},
    {"max_tokens": 70, "min_tokens": 70, "temperature": 1.1, "seed": 4, "n": 2, "frequency_penalty": 0.4},
]


def question(fields):
    return {"model": fleet.MODEL, "messages": [{"role": "user", "content": "Tell a long story of a river."}],
            "stream": True, "stream_options": {"include_usage": True}, **fields}


class OnHost:
    """A program of ours that can be started again on its host, at its address."""

    def __init__(self, host, *arguments):
        self.host = host
        self.arguments = arguments
        self.process = None

    def start(self, clock=""):
        """`clock`: how far the time of day is off there."""
        wrong = ("env", f"LD_PRELOAD={FAKETIME[0]}", f"FAKETIME={clock}", "FAKETIME_DONT_FAKE_MONOTONIC=1",
                 "DONT_FAKE_MONOTONIC=1") if clock else ()
        self.process = fleet.Process(*self.host.inside, *wrong, PROGRAM, *self.arguments)
        return self

    def stop(self):
        if self.process is not None:
            self.process.close()
            self.process = None


class Etcd:
    def __init__(self, host, folder):
        self.host = host
        self.folder = folder
        self.process = None

    @property
    def url(self):
        return f"http://{self.host.address}:2379"

    def start(self):
        peer = f"http://{self.host.address}:2380"
        self.process = subprocess.Popen(
            [*self.host.inside, "etcd", "--data-dir", self.folder, "--listen-client-urls", self.url,
             "--advertise-client-urls", self.url, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
             "--initial-cluster", f"default={peer}", "--log-level", "error"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class OnHosts(unittest.TestCase):
    """Two members and two gateways behind one etcd, each on a host of its own."""

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        cls.folder = cls.stack.enter_context(tempfile.TemporaryDirectory())
        for name, key in (("operators", "ok-1 name=ann"), ("members", "mk-fleet"), ("own", "mk-own")):
            cls.write(name, key + "\n")
        cls.hosts = hosts.Hosts()
        cls.stack.callback(cls.hosts.close)
        cls.etcd = None
        if shutil.which("etcd"):
            cls.etcd = Etcd(cls.hosts.add(20), os.path.join(cls.folder, "etcd"))
            cls.stack.callback(cls.etcd.stop)
            cls.etcd.start()
        cls.gateways = {name: cls.gateway(name, cls.hosts.add(number)) for name, number in (("g", 11), ("h", 12))}
        for gateway in cls.gateways.values():
            cls.stack.callback(gateway.stop)
            gateway.start()
        cls.members = {name: cls.member(name, cls.hosts.add(number)) for name, number in (("a", 1), ("b", 2))}
        for member in cls.members.values():
            cls.stack.callback(member.stop)
            member.start()
        cls.g, cls.h = (cls.gateways[name].host for name in "gh")
        cls.undisturbed = [fleet.ask(PORT, "/v1/chat/completions", question(fields),
                                     host=cls.members["a"].host.address).normal() for fields in QUESTIONS]

    @classmethod
    def write(cls, name, text):
        with open(os.path.join(cls.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    @classmethod
    def gateway(cls, name, host):
        os.makedirs(os.path.join(cls.folder, name))
        for keys in ("operators", "members"):
            shutil.copy(os.path.join(cls.folder, keys), os.path.join(cls.folder, name))
        registry = f'etcd = ["{cls.etcd.url}"]' if cls.etcd else ""
        cls.write(f"{name}/fleet.toml", HEAD.format(
            address=host.address, registry=registry, first_token_seconds=200 if fleet.SANITIZED else 20,
            stall_seconds=30 if fleet.SANITIZED else 3))
        return OnHost(host, "gateway", "--config", os.path.join(cls.folder, name, "fleet.toml"))

    @classmethod
    def member(cls, name, host):
        gateways = [word for gateway in cls.gateways.values()
                    for word in ("--gateway", f"http://{gateway.host.address}:{PORT}")]
        return OnHost(host, "serve", fleet.MODEL, "--chip", "cpu", "--host", host.address, "--port", str(PORT),
                      "--context", "1024", "--member-name", name, "--maker", name,
                      "--member-key-file", os.path.join(cls.folder, "own"), *gateways,
                      "--gateway-key-file", os.path.join(cls.folder, "members"))

    def setUp(self):
        self.wait_until_ready()
        began = time.monotonic()
        self.addCleanup(lambda: print(f"{self._testMethodName}: {time.monotonic() - began:.1f} s", file=sys.stderr))

    def wait_until_ready(self):
        for host in (self.g, self.h):
            fleet.wait_until(lambda host=host: self.states(host) == {"a": "ready", "b": "ready"}, 60)

    def operate(self, host, path):
        reply = fleet.get(PORT, f"/switchyard/v1/fleet{path}", {"Authorization": "Bearer ok-1"}, host.address)
        self.assertEqual(reply.status, 200, reply.body)
        return reply.json

    def states(self, host):
        return {member["name"]: member["state"] for member in self.operate(host, "")["members"]}

    def ask(self, host, i):
        return fleet.ask(PORT, "/v1/chat/completions", question(QUESTIONS[i]), host=host.address)

    def assert_undisturbed(self, reply, i):
        self.assertEqual(reply.status, 200, reply.body)
        self.assertEqual(reply.normal(), self.undisturbed[i])

    def assert_moves(self, host, fault, questions=(0,)):
        """`fault(member)` is a context that streaming answers must leave their member for, unharmed."""
        moved = 0
        for i in questions * 4:
            if i == questions[0] and moved > 0:
                return
            reply = fleet.ask_and(lambda name: fault(self.members[name]), 6, PORT, "/v1/chat/completions",
                                  question(QUESTIONS[i]), host.address)
            self.assert_undisturbed(reply, i)
            self.wait_until_ready()
            moved += "handover level=1" in " ".join(reply.comments)  # else the fault came too late
        self.fail("no answer moved")

    def test_a_link_that_is_cut(self):
        self.assert_moves(self.g, lambda member: self.hosts.cut(*hosts.both(self.g, member.host)), (0, 1))

    def test_a_link_that_is_cut_in_one_direction(self):
        self.assert_moves(self.g, lambda member: self.hosts.cut((self.g, member.host)))
        self.assert_moves(self.g, lambda member: self.hosts.cut((member.host, self.g)))

    def test_a_member_that_is_stopped(self):
        @contextlib.contextmanager
        def stopped(member):
            member.process.signal(signal.SIGSTOP)
            try:
                yield
            finally:
                member.process.signal(signal.SIGCONT)
        self.assert_moves(self.g, stopped)

    def test_links_that_are_slow_and_lose(self):
        slow = [pair for member in self.members.values() for pair in hosts.both(self.g, member.host)]
        with self.hosts.slow(0.1, 0.03, *slow):
            for i in range(len(QUESTIONS)):
                self.assert_undisturbed(self.ask(self.g, i), i)

    def test_requests_on_connections_that_have_died(self):
        """Whatever its form, a request that meets a dead connection is answered by who is left."""
        path, body = "/v1/embeddings", {"model": fleet.MODEL, "input": ["a river"]}
        expected = fleet.ask(PORT, path, body, host=self.g.address).json["data"]
        whole = {**question(QUESTIONS[0]), "stream": False, "stream_options": None}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            ask = lambda i: (fleet.ask(PORT, path, body, host=self.g.address) if i % 2 else
                             fleet.ask(PORT, "/v1/chat/completions", whole, host=self.g.address))
            list(pool.map(ask, range(8)))  # leaves connections to both
            with self.hosts.cut(*hosts.both(self.g, self.members["a"].host)):
                replies = list(pool.map(ask, range(8)))
        for i, reply in enumerate(replies):
            self.assertEqual(reply.status, 200, reply.body)
            if i % 2:
                self.assertEqual(reply.json["data"], expected)

    def test_etcd_is_lost_and_comes_back(self):
        if self.etcd is None:
            self.skipTest("etcd is not installed")
        self.etcd.stop()
        try:
            fleet.wait_until(lambda: all("etcd is lost" in gateway.process.errors()
                                         for gateway in self.gateways.values()), 60)
            # Longer than leases last; what is known goes on serving, and moves if it must.
            self.assert_moves(self.g, lambda member: self.hosts.cut(*hosts.both(self.g, member.host)), (0, 1))
            self.assertEqual(self.states(self.h), {"a": "ready", "b": "ready"})
        finally:
            # It has forgotten everything.
            shutil.rmtree(self.etcd.folder)
            self.etcd.start()
        fleet.wait_until(lambda: all("etcd is back" in gateway.process.errors()
                                     for gateway in self.gateways.values()), 60)
        for i in range(len(QUESTIONS)):
            self.assert_undisturbed(self.ask(self.h, i), i)
        self.wait_until_ready()

    def test_one_of_two_gateways_is_started_again_under_load(self):
        restarted = self.gateways["h"]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for number in (signal.SIGKILL, signal.SIGTERM):
                through_g = [pool.submit(self.ask, self.g, i % 2) for i in range(4)]
                through_h = [pool.submit(self.ask, self.h, i % 2) for i in range(2)]
                fleet.wait_until(lambda: self.in_flight(self.h) == 2 or all(one.done() for one in through_h))
                restarted.process.signal(number)
                if number == signal.SIGTERM:  # it lets them finish
                    self.assertEqual(restarted.process.process.wait(60), 0, restarted.process.errors())
                    for i, one in enumerate(through_h):
                        self.assert_undisturbed(one.result(), i % 2)
                restarted.stop()
                restarted.start()
                for i, one in enumerate(through_g):
                    self.assert_undisturbed(one.result(), i % 2)
                concurrent.futures.wait(through_h)
                fleet.wait_until(lambda: self.states(self.h) == {"a": "ready", "b": "ready"}, 60)
                self.assert_undisturbed(self.ask(self.h, 0), 0)

    def need_clocks(self):
        if not FAKETIME:
            self.skipTest("clocks cannot be set wrong: libfaketime is not installed")
        if fleet.SANITIZED:
            self.skipTest("clocks cannot be set wrong: libfaketime and a sanitizer do not go together")

    def test_clocks_that_are_wrong(self):
        self.need_clocks()
        wrong = ((self.members["b"], "+26h"), (self.gateways["h"], "-50h"))
        try:
            for one, clock in wrong:
                one.stop()
                one.start(clock)
            self.wait_until_ready()
            for host in (self.g, self.h):
                self.assert_moves(host, lambda member, host=host: self.hosts.cut(*hosts.both(host, member.host)))
            self.wait_until_ready()  # leases have come to an end meanwhile and were renewed
        finally:
            for one, _ in wrong:
                one.stop()
                one.start()

    def test_a_clock_by_which_a_members_certificate_is_not_valid(self):
        self.need_clocks()
        if not shutil.which("openssl"):
            self.skipTest("openssl is not here to make certificates")
        host = self.hosts.add(3)
        certificate, key = (os.path.join(self.folder, name) for name in ("tls.pem", "tls.key"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "1", "-subj", "/CN=s", "-addext", f"subjectAltName=IP:{host.address}",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        member = OnHost(host, "serve", fleet.MODEL, "--chip", "cpu", "--host", host.address, "--port", str(PORT),
                        "--context", "1024", "--tls-cert", certificate, "--tls-key", key).start()
        os.makedirs(os.path.join(self.folder, "k"))
        gateway = OnHost(self.hosts.add(13), "gateway", "--config", os.path.join(self.folder, "k", "fleet.toml"))
        self.write("k/operators", "ok-1\n")
        self.write("k/fleet.toml", f"""[listen]
host = "{gateway.host.address}"
port = {PORT}
admin_key_file = "operators"
[[member]]
name = "s"
url = "https://{host.address}:{PORT}"
chip = "cpu"
ca_file = "{certificate}"
""")
        told = lambda: self.operate(gateway.host, "")["members"][0]
        try:
            for clock, words in (("", ""), ("+3d", "expired"), ("-3d", "not yet valid")):
                gateway.start(clock)
                fleet.wait_until(lambda: told()["state"] == ("lost" if words else "ready"))
                self.assertIn(words, told()["trouble"])
                reply = self.ask(gateway.host, 0)
                if words:
                    self.assertEqual(reply.status, 503, reply.body)
                else:
                    self.assert_undisturbed(reply, 0)
                gateway.stop()
        finally:
            gateway.stop()
            member.stop()

    def in_flight(self, host):
        return sum(member["load"]["in_flight"] for member in self.operate(host, "")["members"])


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(warnings="ignore")
