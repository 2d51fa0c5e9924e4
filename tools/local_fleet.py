#!/usr/bin/env python3
"""A fleet on one machine: a gateway, a member on each kind of chip, and an engine that is not ours.

    tools/local_fleet.py SWITCHYARD [--model smollm2] [--question TEXT] [--folder build/fleet] [--port 8080]

Asks the question through the gateway, kills the member that answers in the middle of the answer, shows the whole of
it with where each part ran, and starts the killed member again; an answer of few tokens is over before that. Then
the fleet stays until Ctrl-C; with no terminal it ends there. Everything it writes lies in the folder: configuration,
keys and logs.
"""

import argparse
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time

TOOLS = pathlib.Path(__file__).resolve().parent
WAIT_S = 120
KILL_AFTER_TOKENS = 24
COLOURS = {"cpu": 36, "opencl": 33, "outside": 35}


def tell(text):
    print(text, flush=True)


def free_port(wanted=0):
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return probe.getsockname()[1]
            except OSError:
                continue
    sys.exit("no port is free on 127.0.0.1")


def ask(port, method, path, body=None, timeout=5):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return 0, str(error)
    finally:
        connection.close()


class Process:
    """A program of the fleet, its log in the folder."""

    def __init__(self, name, command, port, log):
        self.name, self.command, self.port, self.log, self.child = name, command, port, log, None

    def start(self):
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(self.command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                          start_new_session=True)

    def wait_until_ready(self, path):
        deadline = time.monotonic() + WAIT_S
        while ask(self.port, "GET", path)[0] != 200:
            if self.child.poll() is not None or time.monotonic() > deadline:
                shown = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])
                sys.exit(f"{self.name} does not come up; the end of {self.log}:\n{shown}")
            time.sleep(0.1)

    def kill(self):
        self.child.kill()
        self.child.wait()

    def end(self):
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()


class Fleet:
    def __init__(self, options):
        self.program, self.folder = pathlib.Path(options.program).resolve(), pathlib.Path(options.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.model_name = options.model
        self.model = self.bring_model()
        self.members = {}
        self.port = free_port(options.port)
        for name in ("member", "admin"):
            path = self.folder / f"{name}.key"
            path.touch(mode=0o600)
            path.write_text(f"{secrets.token_hex(16)} name={name}\n", encoding="utf-8")
        for chip in self.chips():
            self.add_member(chip)
        self.add_outside_engine(options.engine)
        self.write_config()
        self.gateway = Process("the gateway", [self.program, "gateway", "--config", self.folder / "fleet.toml"],
                               self.port, self.folder / "gateway.log")

    def bring_model(self):
        brought = subprocess.run([self.program, "pull", self.model_name], check=True, stdout=subprocess.PIPE, text=True)
        model = brought.stdout.strip().splitlines()[-1]
        tell(model)
        return model

    def chips(self):
        """The fast chip, and a second kind if this machine has one."""
        told = subprocess.run([self.program, "chips", "--json", "--no-measure"], stdout=subprocess.PIPE, text=True,
                              check=True).stdout
        has_opencl = any(chip["chip"] == "opencl" and chip["devices"] for chip in json.loads(told))
        if not has_opencl:
            tell("This machine has no OpenCL device (Debian's pocl-opencl-icd makes one of the processor): "
                 "the fleet has no member on it.")
        return ["cpu", "opencl"] if has_opencl else ["cpu"]

    def add_member(self, chip):
        port = free_port()
        command = [self.program, "serve", self.model_name, "--chip", chip, "--port", port,
                   *(["--threads", "1"] if chip == "cpu" else []), "--member-key-file", self.folder / "member.key", "--log-level", "warn", "--no-request-log"]
        self.members[chip] = Process(f"the member on {chip}", [str(part) for part in command], port,
                                     self.folder / f"{chip}.log")

    def add_outside_engine(self, environment):
        subprocess.run([sys.executable, TOOLS / "outside_engine.py", "install", environment], check=True)
        port = free_port()
        command = [pathlib.Path(environment) / "bin/python", TOOLS / "outside_engine.py", "serve", self.model, port,
                   self.model_name]
        self.members["outside"] = Process("the outside engine", [str(part) for part in command], port,
                                          self.folder / "outside.log")

    def write_config(self):
        text = f"""# Written by tools/local_fleet.py. docs/fleet.md explains each key.
audit_file = "audit.sqlite"

[listen]
port = {self.port}
admin_key_file = "admin.key"

[policy]
# Nobody has certified these chips for this model: an answer may move to them all the same.
uncertified = [{", ".join(json.dumps(name) for name in self.members)}]
"""
        for name, member in self.members.items():
            outside = name == "outside"
            text += f"""
[[member]]
name = "{name}"
url = "http://127.0.0.1:{member.port}"
kind = "{"openai" if outside else "switchyard"}"
chip = "{name}"
models = ["{self.model_name}"]
"""
            text += "" if outside else 'member_key_file = "member.key"\n'
        (self.folder / "fleet.toml").write_text(text, encoding="utf-8")

    def start(self):
        tell(f"starting the members ({', '.join(self.members)}) and the gateway ...")
        for member in self.members.values():
            member.start()
        for member in self.members.values():
            member.wait_until_ready("/health")
        self.gateway.start()
        self.gateway.wait_until_ready("/ready")

    def end(self):
        for process in [self.gateway, *self.members.values()]:
            process.end()

    def answer(self, question):
        """Streams the answer, kills its member on the way, and yields (member, text) as it comes."""
        body = {"model": self.model_name, "messages": [{"role": "user", "content": question}], "stream": True,
                "temperature": 0, "max_tokens": 120, "stream_options": {"include_usage": True}}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=WAIT_S)
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            sys.exit(f"the gateway refused ({answer.status}): {answer.read().decode()}")
        member = answer.headers["x-switchyard-member"]
        seen, killed = 0, False
        for line in answer:
            text = line.decode().rstrip("\r\n")
            if text.startswith(": handover"):
                member = re.search(r"\bto=(\S+)", text).group(1)
                yield member, None, text[2:]
            elif text.startswith("data: {"):
                part = json.loads(text[6:])
                if "error" in part:
                    sys.exit(f"the answer ended with an error: {part['error']['message']}")
                for choice in part["choices"]:
                    words = choice["delta"].get("content")
                    if words:
                        seen += 1
                        yield member, words, None
                if seen >= KILL_AFTER_TOKENS and not killed:
                    killed = True
                    self.members[member].kill()
                    yield member, None, f"{self.members[member].name} is killed (SIGKILL) in mid-answer"
        connection.close()


def show(fleet, question, coloured):
    parts = []
    in_line = False
    tell(f"\n> {question}\n")
    for member, words, event in fleet.answer(question):
        if words is not None:
            if parts and parts[-1][0] == member:
                parts[-1][1] += words
            else:
                parts.append([member, words])
            words = f"\033[{COLOURS[member]}m{words}\033[0m" if coloured else words
            print(words, end="", flush=True)
            in_line = True
        else:
            print("\n" if in_line else "", end="")
            in_line = False
            tell(f"  \033[2m[{event}]\033[0m" if coloured else f"  [{event}]")
    tell("\n\nThe answer, and where each part of it ran:")
    for member, text in parts:
        tell(f"  {member:8} {json.dumps(text, ensure_ascii=False)}")
    if len(parts) < 2:
        tell(f"It was over before its member was to be killed, after {KILL_AFTER_TOKENS} tokens: nothing was handed "
             "over. QUESTION='...' asks something that takes a longer answer.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--question", default="Why is the sky blue? Answer in two sentences.")
    parser.add_argument("--folder", default="build/fleet")
    parser.add_argument("--engine", default="build/outside_engine", help="the outside engine's environment")
    parser.add_argument("--port", type=int, default=8080)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    fleet = Fleet(options)
    try:
        fleet.start()
        show(fleet, options.question, sys.stdout.isatty())
        killed = [name for name, member in fleet.members.items() if member.child.poll() is not None]
        for name in killed:
            fleet.members[name].start()
            fleet.members[name].wait_until_ready("/health")
        address = f"http://127.0.0.1:{fleet.port}"
        again = f"{' and '.join(killed)} is started again; the" if killed else "The"
        tell(f"""
{again} fleet is up at {address}
  curl {address}/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{{"model": "{fleet.model_name}", "messages": [{{"role": "user", "content": "Say hello."}}]}}'
  any OpenAI client: base_url="{address}/v1", api_key="none"
  {os.path.relpath(fleet.program)} fleet status --gateway {address} --key-file {fleet.folder / "admin.key"}
  configuration, keys and logs: {fleet.folder}""")
        if sys.stdin.isatty():
            tell("Ctrl-C ends it.")
            signal.pause()
        tell("Its input is no terminal, so it ends here; in a terminal it stays up until Ctrl-C.")
    except KeyboardInterrupt:
        tell("\nending the fleet ...")
    finally:
        fleet.end()


if __name__ == "__main__":
    main()
