#!/usr/bin/env python3
"""What a gateway adds to a request, beside other gateways, in one run.

    bench/gateway.py SWITCHYARD [--peers FOLDER] [--only NAME,...] [--seconds 5] [--rounds 7] [--json FILE]

Before an upstream that computes nothing (bench/gateway/stub.cc) stand by turns nobody ("direct"), our gateway, and those
peers that FOLDER holds: vllm-router, smg and litellm in its bin/, Portkey's in its node_modules/. Gateways run on core 0;
upstream and load (bench/gateway/load.cc) share core 1, so what is told of requests a second is bounded by what that core
can send: "direct" is the bound.

  sequential   ROUNDS rounds of 25 requests by turns, 15 before that for warmth: added time is the median of the rounds'
               medians minus that of direct
  closed       1, 10 and 64 connections, each asking again and again, bodies of 200 B, 16 KiB and 220 KiB: the gateway's
               core is full, so that this tells what it can do, and a time is 64 times what one request takes
  paced        64 connections, 4,000 requests of 200 B a second in all, which all can bear: what a request then takes
  streams      1, 64 and 512 streams of 64 tokens, 20 ms apart: what a gap has above 20 ms, tokens that were lost
  memory       resident: idle, the most under load, and ten seconds later

Percentiles are told as they are and never subtracted.
"""

import argparse
import datetime
import json
import os
import pathlib
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from machine_load import TICK_S, cpu_name, process_fields  # noqa: E402

PACE_MS = 20
TOKENS = 64
RATE = 4000  # requests a second that all of them can bear
BODIES = {"200 B": 200, "16 KiB": 16 << 10, "220 KiB": 220 << 10}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def body(size, stream=False, tokens=16):
    asked = {"model": "stub", "messages": [{"role": "user", "content": ""}], "max_tokens": tokens, "stream": stream}
    asked["messages"][0]["content"] = "x" * max(1, size - len(json.dumps(asked)))
    return json.dumps(asked).encode()


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


class Pinned:
    """A program on one core, its output in a file."""

    def __init__(self, core, command, folder, name, **environment):
        self.log = (folder / f"{name}.log").open("w+")
        self.child = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], stdin=subprocess.PIPE,
                                      stdout=self.log, stderr=self.log, env={**os.environ, **environment},
                                      start_new_session=True)

    def sums(self, *fields):
        """Of the program and all that it started: as process_fields counts them."""
        group, sums = os.getpgid(self.child.pid), [0] * len(fields)
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = process_fields(process.name)
            except OSError:
                continue
            if int(words[2]) == group:
                sums = [total + int(words[field]) for total, field in zip(sums, fields)]
        return sums

    def resident_mb(self):
        return self.sums(21)[0] * os.sysconf("SC_PAGE_SIZE") / 1e6

    def cpu_s(self):
        """In the program and in the kernel for it."""
        return [ticks * TICK_S for ticks in self.sums(11, 12)]

    def end(self):
        try:
            os.killpg(self.child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.child.wait()


class Gateway:
    """`direct` has no program: its port is the upstream's."""

    def __init__(self, name, version="", headers=()):
        self.name, self.version, self.headers = name, version, list(headers)

    def command(self, port, upstream, folder):
        raise NotImplementedError


class Switchyard(Gateway):
    def __init__(self, program):
        told = subprocess.run([program, "--version"], capture_output=True, text=True).stdout.split()
        super().__init__("switchyard", told[-1] if told else "")
        self.program = program

    def command(self, port, upstream, folder):
        config = folder / "fleet.toml"
        config.write_text(f'[listen]\nport = {port}\n[watch]\nprobe = false\n[[member]]\nname = "stub"\n'
                          f'url = "http://127.0.0.1:{upstream}"\nkind = "openai"\nmodels = ["stub"]\n')
        return [self.program, "gateway", "--config", config, "--log-level", "error"]


class VllmRouter(Gateway):
    def __init__(self, folder):
        self.program = folder / "bin" / "vllm-router"
        super().__init__("vllm-router", version_of(folder, "vllm-router"))

    def command(self, port, upstream, folder):
        return [self.program, "--worker-urls", f"http://127.0.0.1:{upstream}", "--host", "127.0.0.1", "--port", port,
                "--policy", "round_robin", "--prometheus-port", free_port()]


class Smg(Gateway):
    def __init__(self, folder):
        self.program = folder / "bin" / "smg"
        super().__init__("smg", version_of(folder, "smg"))

    def command(self, port, upstream, folder):
        return [self.program, "launch", "--worker-urls", f"http://127.0.0.1:{upstream}", "--host", "127.0.0.1", "--port",
                port, "--policy", "round_robin", "--prometheus-port", free_port()]


class LiteLlm(Gateway):
    def __init__(self, folder):
        self.program = folder / "bin" / "litellm"
        super().__init__("litellm", version_of(folder, "litellm"))

    def command(self, port, upstream, folder):
        config = folder / "litellm.yaml"
        config.write_text(f"model_list:\n  - model_name: stub\n    litellm_params: {{model: openai/stub, "
                          f"api_base: 'http://127.0.0.1:{upstream}/v1', api_key: none}}\n")
        return [self.program, "--config", config, "--host", "127.0.0.1", "--port", port]


class Portkey(Gateway):
    def __init__(self, folder):
        package = folder / "node_modules" / "@portkey-ai" / "gateway"
        self.program = package / "build" / "start-server.js"
        version = json.loads((package / "package.json").read_text())["version"] if package.exists() else ""
        super().__init__("portkey", version)

    def command(self, port, upstream, folder):
        self.headers = ["x-portkey-provider: openai", f"x-portkey-custom-host: http://127.0.0.1:{upstream}/v1"]
        return ["node", self.program, "--headless", f"--port={port}"]


def version_of(folder, package):
    if not (folder / "bin" / "pip").exists():
        return ""
    told = subprocess.run([folder / "bin" / "pip", "show", package], capture_output=True, text=True).stdout
    return next((line.split()[1] for line in told.splitlines() if line.startswith("Version:")), "")


class Bench:
    def __init__(self, options, folder):
        self.tools = pathlib.Path(options.program).resolve().parent
        self.folder, self.options = folder, options
        self.upstream = free_port()
        self.paced = free_port()
        self.stubs = [Pinned(1, [self.tools / "switchyard_gateway_stub", port, pace], folder, f"stub-{pace}")
                      for port, pace in ((self.upstream, 0), (self.paced, PACE_MS))]

    def load(self, port, connections, seconds, sent, headers=()):
        told = subprocess.run(["taskset", "-c", "1", str(self.tools / "switchyard_gateway_load"), f"http://127.0.0.1:{port}",
                               str(connections), str(seconds), *headers], input=sent, capture_output=True, timeout=300)
        if told.returncode != 0:
            raise RuntimeError(told.stderr.decode())
        return json.loads(told.stdout)

    def start(self, gateway, upstream):
        """Its process and port; None and the upstream's port for direct."""
        if gateway.name == "direct":
            return None, upstream
        port = free_port()
        process = Pinned(0, gateway.command(port, upstream, self.folder), self.folder, gateway.name)
        deadline = time.monotonic() + 90
        while True:
            try:
                told = self.load(port, 1, 0.01, body(200), gateway.headers)
                if told["whole_ms"] and not told["failures"]:
                    return process, port
            except (RuntimeError, ValueError, subprocess.TimeoutExpired):
                pass
            if time.monotonic() > deadline or process.child.poll() is not None:
                process.log.seek(0)
                tail = "".join(process.log.readlines()[-8:])
                process.end()
                raise RuntimeError(f"{gateway.name} does not serve:\n{tail}")
            time.sleep(0.5)

    def sequential(self, gateways):
        started, medians = {}, {gateway.name: [] for gateway in gateways}
        alls = {gateway.name: [] for gateway in gateways}
        try:
            for gateway in gateways:
                started[gateway.name] = self.start(gateway, self.upstream)
            for turn in range(self.options.rounds + 1):
                for gateway in gateways:
                    port = started[gateway.name][1]
                    times = []
                    until = 15 if turn == 0 else 25
                    while len(times) < until:
                        times += self.load(port, 1, 0.05, body(200), gateway.headers)["whole_ms"]
                    if turn > 0:
                        times = times[:2000]
                        medians[gateway.name].append(statistics.median(times))
                        alls[gateway.name] += times
        finally:
            for process, _ in started.values():
                if process:
                    process.end()
        floor = statistics.median(medians["direct"])
        return {name: {"median_ms": statistics.median(each), "added_ms": statistics.median(each) - floor,
                       "p99_ms": percentile(alls[name], 0.99)} for name, each in medians.items()}

    def measure(self, gateway):
        """All that is measured of one gateway alone."""
        result = {"closed": {}, "streams": {}, "memory": {}}
        process, port = self.start(gateway, self.upstream)
        most = 0.0
        cpu_s = process.cpu_s if process else lambda: [0, 0]
        try:
            if process:
                result["memory"]["idle_mb"] = process.resident_mb()
            over = threading.Event()

            def watch():
                nonlocal most
                while process and not over.wait(0.2):
                    most = max(most, process.resident_mb())

            watcher = threading.Thread(target=watch)
            watcher.start()
            for connections in (1, 10, 64):
                for name, size in BODIES.items():
                    before = cpu_s()
                    told = self.load(port, connections, self.options.seconds, body(size), gateway.headers)
                    result["closed"][f"{connections} x {name}"] = {
                        "rps": len(told["whole_ms"]) / told["seconds"], "p50_ms": percentile(told["whole_ms"], 0.5),
                        "p99_ms": percentile(told["whole_ms"], 0.99), "failures": told["failures"],
                        "cpu_us": [(b - a) / len(told["whole_ms"]) * 1e6 for a, b in zip(before, cpu_s())]}
            told = self.load(port, 64, f"{self.options.seconds}@{RATE}", body(200), gateway.headers)
            result["paced"] = {
                "rps": len(told["whole_ms"]) / told["seconds"], "mean_ms": statistics.fmean(told["whole_ms"]),
                "p50_ms": percentile(told["whole_ms"], 0.5), "p99_ms": percentile(told["whole_ms"], 0.99),
                "failures": told["failures"]}
            over.set()
            watcher.join()
        finally:
            if process:
                process.end()
        process, port = self.start(gateway, self.paced)
        try:
            for streams in (1, 64, 512):
                told = self.load(port, streams, 0, body(200, True, TOKENS), gateway.headers)
                if process:
                    most = max(most, process.resident_mb())
                added = [gap - PACE_MS for gap in told["gaps_ms"]]
                result["streams"][streams] = {
                    "gap_p50_ms": percentile(added, 0.5), "gap_p99_ms": percentile(added, 0.99),
                    "first_p50_ms": percentile(told["first_ms"], 0.5), "first_p99_ms": percentile(told["first_ms"], 0.99),
                    "lost": streams * TOKENS - sum(told["tokens"]), "failures": told["failures"]}
            if process:
                time.sleep(10)
                result["memory"].update(most_mb=most, after_mb=process.resident_mb())
        finally:
            if process:
                process.end()
        return result

    def end(self):
        for stub in self.stubs:
            stub.end()


def show(results):
    names = list(results["sequential"])
    print("\n| sequential | median ms | added ms | p99 ms |\n|---|---|---|---|")
    for name in names:
        one = results["sequential"][name]
        print(f"| {name} | {one['median_ms']:.3f} | {one['added_ms']:.3f} | {one['p99_ms']:.3f} |")
    print("\n| closed | " + " | ".join(f"{name}: requests/s, p50, p99 ms" for name in names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for case in results["gateways"]["direct"]["closed"]:
        cells = []
        for name in names:
            one = results["gateways"].get(name, {}).get("closed", {}).get(case)
            cells.append("–" if one is None else f"{one['rps']:.0f}, {one['p50_ms']:.2f}, {one['p99_ms']:.2f}"
                         + (f" ({sum(one['failures'].values())} failed)" if one["failures"] else ""))
        print(f"| {case} | " + " | ".join(cells) + " |")
    print("\n| processor µs for a request: in the program + in the kernel | " + " | ".join(names[1:]) + " |")
    print("|---" * len(names) + "|")
    for case in results["gateways"]["direct"]["closed"]:
        spent = [results["gateways"].get(name, {}).get("closed", {}).get(case, {}).get("cpu_us") for name in names[1:]]
        print(f"| {case} | " + " | ".join(f"{each[0]:.0f} + {each[1]:.0f}" if each else "–" for each in spent) + " |")
    print(f"\n| 64 connections, {RATE} requests/s | requests/s | mean ms | p50 ms | p99 ms | failed |\n|---|---|---|---|---|---|")
    for name in names:
        one = results["gateways"].get(name, {}).get("paced")
        if one:
            print(f"| {name} | {one['rps']:.0f} | {one['mean_ms']:.3f} | {one['p50_ms']:.3f} | {one['p99_ms']:.3f} | "
                  f"{sum(one['failures'].values())} |")
    print("\n| streams | " + " | ".join(f"{name}: gap above 20 ms p50, p99; first p50; lost" for name in names) + " |")
    print("|---" * (len(names) + 1) + "|")
    for streams in results["gateways"]["direct"]["streams"]:
        cells = []
        for name in names:
            one = results["gateways"].get(name, {}).get("streams", {}).get(streams)
            cells.append("–" if one is None else f"{one['gap_p50_ms']:.2f}, {one['gap_p99_ms']:.2f}; "
                         f"{one['first_p50_ms']:.2f}; {one['lost']}")
        print(f"| {streams} | " + " | ".join(cells) + " |")
    print("\n| memory, MB | idle | most | after |\n|---|---|---|---|")
    for name in names:
        memory = results["gateways"].get(name, {}).get("memory")
        if memory:
            print(f"| {name} | {memory['idle_mb']:.0f} | {memory['most_mb']:.0f} | {memory['after_mb']:.0f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--peers", type=pathlib.Path, default=pathlib.Path("build/peers/gateways"))
    parser.add_argument("--only", default="")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json")
    options = parser.parse_args()
    if not (pathlib.Path(options.program).parent / "switchyard_gateway_load").exists():
        parser.error(f"no switchyard_gateway_load beside '{options.program}': build with -DSWITCHYARD_TESTS=ON")
    gateways = [Gateway("direct"), Switchyard(options.program), VllmRouter(options.peers), Smg(options.peers),
                LiteLlm(options.peers), Portkey(options.peers)]
    wanted = set(options.only.split(",")) if options.only else None
    gateways = [one for one in gateways if one.name in ("direct", "switchyard")
                or (one.version and (wanted is None or one.name in wanted))]
    print(f"{datetime.date.today()}, {cpu_name()}: " + ", ".join(f"{one.name} {one.version}".strip() for one in gateways),
          flush=True)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, pathlib.Path(folder))
        try:
            results = {"sequential": bench.sequential(gateways), "gateways": {}}
            for gateway in gateways:
                print(f"measuring {gateway.name} ...", flush=True)
                results["gateways"][gateway.name] = bench.measure(gateway)
        finally:
            bench.end()
    show(results)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
