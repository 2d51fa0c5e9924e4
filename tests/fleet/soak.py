#!/usr/bin/env python3
"""A long time of requests through a gateway whose members are killed now and then: its memory stays flat, and no
request or file is lost.

    soak.py SWITCHYARD [--minutes 30] [--clients 8] [--pause 0.2] [--members 3] [--every 10] [--default-model]

Members serve a tiny model, or the default one. Two of five requests are cancelled at a random moment. Every some
seconds a member is killed, and started again a second later. Prints a line a minute, then how the gateway's resident
memory grew after the first fifth of the time; by what it is judged, tests/support/soaking.py says.
"""

import http.client
import pathlib
import random
import re
import sys
import tempfile
import threading

import fleet

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path += [str(TESTS / "support"), str(TESTS / "server")]
import soaking  # noqa: E402
import tiny_model  # noqa: E402

KEPT_REQUESTS = 65_536  # src/gateway/control.cc
HEAD = """[retry]
attempts = 64
[watch]
every_seconds = 0.5
[breaker]
open_seconds = 0.2
longest_seconds = 1
"""


class Soaked:
    """The fleet, as its clients see it."""

    def __init__(self, options):
        self.options = options
        self.folder = tempfile.TemporaryDirectory()
        self.model = fleet.MODEL
        if not options.default_model:
            self.model = "tiny"
            tiny_model.make(self.folder.name)
        self.members = [self.member() for _ in range(options.members)]
        self.gateway = fleet.Gateway(options.program, [
            fleet.entry(f"m{i}", member.port, models=[self.model]) for i, member in enumerate(self.members)], HEAD)
        self.port = self.gateway.port
        self.fill_logs()
        self.kills = 0
        self.over = threading.Event()
        self.killer = threading.Thread(target=self.kill)
        self.killer.start()

    def fill_logs(self):
        """What the gateway keeps of the last requests is bounded, and would pass for growth until it is full."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        for _ in range(KEPT_REQUESTS):
            connection.request("POST", "/v1/completions", '{"model":"none","prompt":""}')
            connection.getresponse().read()
        connection.close()

    def member(self, port=0):
        source = fleet.MODEL if self.options.default_model else self.folder.name
        return fleet.Process(self.options.program, "serve", source, "--served-model-name", self.model, "--chip", "cpu",
                             "--threads", "1", "--context", "1024", "--port", str(port), "--no-request-log")

    def kill(self):
        chance = random.Random(1)
        while not self.over.wait(chance.uniform(0.5, 1.5) * self.options.every):
            i = chance.randrange(len(self.members))
            port = self.members[i].port
            self.members[i].close()
            self.kills += 1
            self.over.wait(1)
            self.members[i] = self.member(port)

    def metric(self, pattern):
        found = re.findall(rf"(?m)^switchyard_gateway_{pattern} (\S+)$",
                           fleet.get(self.port, "/metrics").body.decode())
        return sum(float(value) for value in found)

    def close(self):
        self.over.set()
        self.killer.join()
        for member in self.members:
            member.close()
        self.gateway.close()
        self.folder.cleanup()


def main():
    parser = soaking.options_of(__doc__, clients=8, pause=0.2)
    parser.add_argument("--members", type=int, default=3)
    parser.add_argument("--every", type=float, default=10, help="seconds between two kills, on average")
    parser.add_argument("--default-model", action="store_true", help="far fewer requests in the same time")
    options = parser.parse_args()
    soaked = Soaked(options)
    process = pathlib.Path(f"/proc/{soaked.gateway.process.pid}")
    clients = [soaking.Client(soaked, seed, options.pause) for seed in range(options.clients)]
    for client in clients:
        client.start()
    samples = []
    print("minute  resident KiB  files  threads  whole  cancelled  refused  failed  kills  hand-overs", flush=True)

    def line(minute):
        kib, files, threads = soaking.footprint(process)
        samples.append((minute, kib, files))
        whole, cancelled, refused, failed = soaking.counts(clients).values()
        print(f"{minute:6.1f}  {kib:12}  {files:5}  {threads:7}  {whole:5}  {cancelled:9}  {refused:7}  {failed:6}"
              f"  {soaked.kills:5}  {soaked.metric('hand_overs_total{.*}'):10.0f}", flush=True)

    try:
        soaking.pace(options.minutes, line)
        failed = soaking.end(clients)["failed"]
        soaked.over.set()
        soaked.killer.join()
        fleet.wait_until(lambda: soaked.metric("in_flight") == 0, 60)
        line(options.minutes)
        by_minute, in_all = soaking.growth([(minute, kib) for minute, kib, _ in samples if minute >= options.minutes / 5])
        print(f"after the first fifth the gateway's resident memory grew by {by_minute:.1f} KiB in the median minute and by "
              f"{in_all:.2%} in all; open files {samples[0][2]} at first, {samples[-1][2]} at the end")
        soaked.gateway.signal(15)
        ended = soaked.gateway.process.wait(60)
        print(f"the gateway ended with {ended}")
        # Connections to members are kept for reuse, as many as there were requests at once.
        most_files = samples[0][2] + (len(soaked.members) + 1) * options.clients + 4
        return bool(failed or ended != 0 or not soaking.is_flat(by_minute, in_all) or samples[-1][2] > most_files)
    finally:
        soaked.close()


if __name__ == "__main__":
    sys.exit(main())
