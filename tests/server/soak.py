#!/usr/bin/env python3
"""A long time of requests that come and go at random: memory stays flat, and no page, file or request is lost.

    soak.py SWITCHYARD [--minutes 30] [--clients 4] [--pause 0.5] [--tiny]

Serves the default model, or a tiny one, with few pages, so that requests are preempted. Two of five requests are cancelled at a
random moment. Prints a line a minute, then how the resident memory grew after the first fifth of the time
(tests/support/soaking.py).
"""

import pathlib
import sys
import time

import served

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import soaking  # noqa: E402


def main():
    parser = soaking.options_of(__doc__, clients=4, pause=0.5)
    parser.add_argument("--tiny", action="store_true", help="many more requests in the same time")
    options = parser.parse_args()
    server = served.ServedModel(options.program, "--kv-pages", "40", "--max-running", "8", "--no-request-log",
                                "--threads", "1", tiny=options.tiny)
    process = pathlib.Path(f"/proc/{server.child.pid}")
    clients = [soaking.Client(server, seed, options.pause) for seed in range(options.clients)]
    for client in clients:
        client.start()
    began = time.monotonic()
    samples = []
    print("minute  resident KiB  files  threads  whole  cancelled  refused  failed  preempted  tokens  programs", flush=True)

    def line(minute):
        kib, files, threads = soaking.footprint(process)
        samples.append((minute, kib, files))
        counts = list(soaking.counts(clients).values())
        print(f"{minute:6.1f}  {kib:12}  {files:5}  {threads:7}  {counts[0]:5}  {counts[1]:9}  {counts[2]:7}  {counts[3]:6}"
              f"  {server.metric('vllm:num_preemptions_total'):9.0f}  {server.metric('vllm:generation_tokens_total'):6.0f}"
              f"  {server.metric('switchyard_planned_programs'):8.0f}",
              flush=True)

    soaking.pace(options.minutes, line)
    failed = soaking.end(clients)["failed"]
    deadline = time.monotonic() + 60
    left = {}
    while time.monotonic() < deadline:
        left = {name: server.metric(name) for name in ("vllm:num_requests_running", "vllm:num_requests_waiting",
                                                       "vllm:kv_cache_usage_perc")}
        if not any(left.values()):
            break
        time.sleep(0.5)
    time.sleep(1)
    line((time.monotonic() - began) / 60)
    by_minute, in_all = soaking.growth([(minute, kib) for minute, kib, _ in samples if minute >= options.minutes / 5])
    print(f"after the first fifth resident memory grew by {by_minute:.1f} KiB in the median minute and by {in_all:.2%} "
          f"in all; left in use: {left}; open files {samples[0][2]} at first, {samples[-1][2]} at the end")
    ended = server.stop()
    print(f"the server ended with {ended}")
    return bool(failed or any(left.values()) or ended != 0 or not soaking.is_flat(by_minute, in_all)
                or samples[-1][2] > samples[0][2] + 4)


if __name__ == "__main__":
    sys.exit(main())
