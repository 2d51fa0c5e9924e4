"""How busy the machine was with anything but the measured processes, from /proc."""

import os
import pathlib
import time

TICK_S = 1.0 / os.sysconf("SC_CLK_TCK")


def all_busy_s() -> float:
    """Busy time of all cores since boot; time stolen by the hypervisor counts as busy."""
    fields = pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(field) for field in fields[:8])
    return (user + nice + system + irq + softirq + steal) * TICK_S


def process_fields(pid) -> list[str]:
    """Those of /proc/PID/stat behind the program's name: 11 and 12 are its processor time, in ticks."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def _own_busy_s() -> float:
    """CPU time of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class LoadMeter:
    """Measures over a with-block; other_cores is then the mean number of cores used by others."""

    def __enter__(self):
        self._start = (time.monotonic(), all_busy_s(), _own_busy_s())
        return self

    def __exit__(self, *_):
        wall_s, all_s, own_s = (
            after - before
            for after, before in zip((time.monotonic(), all_busy_s(), _own_busy_s()), self._start)
        )
        self.wall_s = wall_s
        # /proc/stat counts in ticks, so a short block carries an error of a tick for each core.
        slack_s = TICK_S * (os.cpu_count() or 1)
        self.other_cores = max(0.0, all_s - own_s - slack_s) / max(wall_s, 1e-9)


def cpu_name() -> str:
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return os.uname().machine
