#!/usr/bin/env python3
"""Operating a fleet with the program, on the default model: servers register themselves, an operator
looks, drains, forbids, asks why, rehearses a loss under load, and finds it all in the audit log.

    control_test.py PROGRAM
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import fleet

PROGRAM = None
QUESTION = {"model": fleet.MODEL, "messages": [{"role": "user", "content": "Name some rivers."}],
            "max_tokens": 48, "temperature": 0.8, "seed": 7, "stream": True}


class Control(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        fleet.pull(PROGRAM)
        cls.folder = tempfile.TemporaryDirectory()
        for name, key in (("operators", "ok-1 name=ann"), ("members", "mk-fleet"), ("member", "mk-own")):
            cls.write(name, key + "\n")
        cls.write("fleet.toml", cls.config())
        cls.gateway = fleet.Process(PROGRAM, "gateway", "--config", cls.path("fleet.toml"))
        cls.members = {name: cls.member(name, maker) for name, maker in (("a", "xco"), ("b", "yco"))}
        fleet.wait_until(lambda: cls.states() == {"a": "ready", "b": "ready"})

    @classmethod
    def tearDownClass(cls):
        for process in (*cls.members.values(), cls.gateway):
            process.close()
        cls.folder.cleanup()

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder.name, name)

    @classmethod
    def write(cls, name, text):
        with open(cls.path(name), "w") as file:
            file.write(text)

    @classmethod
    def config(cls, policy=""):
        return ('audit_file = "audit.db"\n[listen]\nport = 0\nadmin_key_file = "operators"\n'
                'member_key_file = "members"\n[registry]\nlease_seconds = 2\n[watch]\nevery_seconds = 0.2\n'
                + policy)

    @classmethod
    def member(cls, name, maker):
        return fleet.Member(PROGRAM, "--member-name", name, "--maker", maker, "--member-key-file",
                            cls.path("member"), "--gateway", f"http://127.0.0.1:{cls.gateway.port}",
                            "--gateway-key-file", cls.path("members"))

    @classmethod
    def run_fleet(cls, *arguments):
        return subprocess.run([PROGRAM, "fleet", "--gateway", f"http://127.0.0.1:{cls.gateway.port}",
                               "--key-file", cls.path("operators"), *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)

    def fleet(self, *arguments):
        done = self.run_fleet(*arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    @classmethod
    def states(cls):
        done = cls.run_fleet("--json", "status")
        return {member["name"]: member["state"] for member in json.loads(done.stdout)["members"]}

    def ask(self, **fields):
        return fleet.ask(self.gateway.port, "/v1/chat/completions", {**QUESTION, **fields})

    def test_the_status_and_why_a_request_ran_where_it_did(self):
        reply = self.ask()
        self.assertEqual(reply.status, 200)
        status = self.fleet("status")
        self.assertIn("MEMBER", status)
        self.assertRegex(status, r"(?m)^a +ready +cpu +xco +1 ")
        told = self.fleet("explain", reply.headers["x-request-id"])
        self.assertRegex(told, r"begin: to [ab]\n")
        self.assertRegex(told, r"a can run it, as number \d")
        unknown = self.run_fleet("explain", "nothing")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("There is no request 'nothing'", unknown.stderr)

    def test_what_is_forbidden_is_refused_and_not_tried(self):
        self.fleet("forbid", "--maker", "xco")
        self.fleet("forbid", "b")
        try:
            reply = self.ask()
            self.assertEqual(reply.status, 403)
            self.assertEqual(reply.json["error"]["code"], "policy_forbidden")
        finally:
            self.fleet("allow", "--maker", "xco")
            self.fleet("allow", "b")
        self.assertEqual(self.ask().status, 200)
        self.assertRegex(self.fleet("audit"), r"operator/ann +forbid +maker=xco")

    def test_a_drained_member_gets_nothing(self):
        self.fleet("drain", "a")
        try:
            before = self.begun("a")
            for _ in range(4):
                self.assertEqual(self.ask().status, 200)
            self.assertEqual(self.begun("a"), before)
        finally:
            self.fleet("undrain", "a")

    def status(self, name):
        members = json.loads(self.fleet("--json", "status"))["members"]
        return next(member for member in members if member["name"] == name)

    def begun(self, name):
        return self.status(name)["counts"]["begun"]

    def in_flight(self, name):
        return self.status(name)["load"]["in_flight"]

    def test_a_drill_under_load_and_nobody_feels_a_loss(self):
        # Of different lengths, or all would begin and end together.
        lengths = [40, 53, 66, 79]
        undisturbed = {length: self.ask(max_tokens=length).normal() for length in lengths}
        answers = []
        over = threading.Event()

        def load(length):
            while not over.is_set():
                answers.append((length, self.ask(max_tokens=length)))

        threads = [threading.Thread(target=load, args=(length,)) for length in lengths]
        for thread in threads:
            thread.start()
        # Like prompts go where one has been read, so the maker of whoever has them is the one to lose.
        time.sleep(2)
        busy, maker = max(((name, maker) for name, maker in (("a", "xco"), ("b", "yco"))),
                          key=lambda one: self.in_flight(one[0]))
        report = self.fleet("drill", "--maker", maker, "--seconds", "4")
        over.set()
        for thread in threads:
            thread.join()
        self.assertIn(f"maker={maker} out for 4 s ({busy})", report)
        self.assertRegex(report, r"[1-9]\d* answers in progress were cut off there")
        self.assertRegex(report, r"(?s)Meanwhile:.*\(\d+ whole, 0 refused, 0 broken")
        for length, answer in answers:
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.normal(), undisturbed[length])
        self.assertTrue(any(answer.comments for _, answer in answers))
        self.assertEqual(self.states(), {"a": "ready", "b": "ready"})

    def test_a_server_that_dies_is_gone_with_its_lease_and_one_that_stops_at_once(self):
        dying = self.member("c", "zco")
        fleet.wait_until(lambda: self.states().get("c") == "ready")
        dying.kill()
        fleet.wait_until(lambda: "c" not in self.states(), 10)
        stopping = self.member("d", "zco")
        fleet.wait_until(lambda: self.states().get("d") == "ready")
        stopping.signal(15)
        stopping.process.wait(30)
        self.assertNotIn("d", self.states())
        dying.close()
        stopping.close()
        audit = self.fleet("audit")
        self.assertRegex(audit, r"gateway +leave +c")
        self.assertRegex(audit, r"member/key-1 +leave +d")

    def test_a_new_configuration_without_a_restart(self):
        self.write("fleet.toml", self.config('[policy]\nowners = "rented"\n'))
        try:
            self.fleet("reload")
            self.assertEqual(self.ask().json["error"]["code"], "policy_owner")
            self.write("fleet.toml", "[policy]\nowners = 'theirs'\n")
            wrong = self.run_fleet("reload")
            self.assertEqual(wrong.returncode, 1)
            self.assertIn("fleet.toml:2", wrong.stderr)
        finally:
            self.write("fleet.toml", self.config())
            self.fleet("reload")
        self.assertEqual(self.ask().status, 200)

    def test_who_has_no_key_is_told(self):
        done = subprocess.run([PROGRAM, "fleet", "--gateway", f"http://127.0.0.1:{self.gateway.port}", "status"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              env={**os.environ, "SWITCHYARD_GATEWAY_KEY_FILE": ""})
        self.assertEqual(done.returncode, 1)
        self.assertIn("--key-file", done.stderr)

    def test_who_is_no_member_is_told(self):
        wrong = self.run_fleet("drain", "nobody")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("There is no member 'nobody'", wrong.stderr)


class ClientsKeys(unittest.TestCase):
    def test_a_reload_reads_them_again(self):
        with tempfile.TemporaryDirectory() as folder:
            def write(name, text):
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)

            write("clients", "old\n")
            write("operators", "operator\n")
            write("fleet.toml", '[listen]\nport = 0\napi_key_file = "clients"\nadmin_key_file = "operators"\n')
            gateway = fleet.Process(PROGRAM, "gateway", "--config", os.path.join(folder, "fleet.toml"))

            def status(key):
                return fleet.get(gateway.port, "/v1/models", {"Authorization": f"Bearer {key}"}).status

            try:
                self.assertEqual((status("old"), status("new")), (200, 401))
                write("clients", "new\n")
                reload = [PROGRAM, "fleet", "--gateway", f"http://127.0.0.1:{gateway.port}", "--key-file",
                          os.path.join(folder, "operators"), "reload"]
                subprocess.run(reload, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
                self.assertEqual((status("old"), status("new")), (401, 200))
                write("clients", "new limits=none\n")
                self.assertNotEqual(subprocess.run(reload, capture_output=True, timeout=60).returncode, 0)
                self.assertEqual(status("new"), 200)
            finally:
                gateway.close()


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main()
