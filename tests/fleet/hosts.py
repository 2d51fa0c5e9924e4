"""Hosts for tests: network namespaces of this machine, plugged into a switch that is a thread of the
test. It loses and delays whatever a test says, in either direction, without a word to anybody, as
networks do; no kernel module but the one for taps is needed. All of it is gone when the test ends.
"""

import collections
import contextlib
import ctypes
import fcntl
import heapq
import itertools
import os
import random
import selectors
import struct
import subprocess
import threading
import time
import unittest

NET = "10.99.0"
CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000


class Wire:
    """One direction between two hosts."""

    def __init__(self):
        self.is_cut = False
        self.delay_s = 0.0
        self.loss = 0.0  # a share of the frames


class Switch(threading.Thread):
    """Frames come in from each tap and go out to the host that they name, as the wires allow."""

    def __init__(self):
        super().__init__(daemon=True)
        self.taps = {}  # number -> file
        self.wires = collections.defaultdict(Wire)  # (from, to)
        self.selector = selectors.DefaultSelector()
        self.late = []  # (when, turn, file, frame)
        self.turns = itertools.count()
        self.chance = random.Random(1)

    def plug(self, number, tap):
        self.taps[number] = tap
        self.selector.register(tap, selectors.EVENT_READ, number)

    def run(self):
        while True:
            due = max(0.0, self.late[0][0] - time.monotonic()) if self.late else 0.1
            for key, _ in self.selector.select(due):
                try:
                    while frame := os.read(key.fd, 65536):
                        self.forward(key.data, frame)
                except BlockingIOError:
                    pass  # all are read
                except OSError:
                    self.selector.unregister(key.fd)  # the host is gone
            while self.late and self.late[0][0] <= time.monotonic():
                _, _, tap, frame = heapq.heappop(self.late)
                self.send(tap, frame)

    def forward(self, source, frame):
        # The last byte of an address is the host's number; with the lowest bit of the first it is for all.
        for target in [frame[5]] if not frame[0] & 1 else list(self.taps):
            if target == source or target not in self.taps:
                continue
            wire = self.wires[source, target]
            if wire.is_cut or self.chance.random() < wire.loss:
                continue
            if wire.delay_s:
                when = time.monotonic() + wire.delay_s
                heapq.heappush(self.late, (when, next(self.turns), self.taps[target], frame))
            else:
                self.send(self.taps[target], frame)

    @staticmethod
    def send(tap, frame):
        with contextlib.suppress(OSError):  # its host is not up, or can take no more
            os.write(tap, frame)


class Hosts:
    """The test itself is a host too, number 254: it enters a namespace of its own for good."""

    def __init__(self):
        self.keepers = []
        if os.geteuid() != 0:
            raise unittest.SkipTest("hosts cannot be made: only root may make network namespaces")
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            raise unittest.SkipTest(f"hosts cannot be made: no network namespace: {os.strerror(ctypes.get_errno())}")
        self.switch = Switch()
        try:
            run("ip", "link", "set", "lo", "up")
            self.plug(254, os.getpid())
        except (OSError, subprocess.CalledProcessError) as error:
            raise unittest.SkipTest(f"hosts cannot be made: {getattr(error, 'stderr', None) or error}") from error
        self.switch.start()

    def add(self, number):
        # It ends with this process, and the namespace with it.
        keeper = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.keepers.append(keeper)
        keeper.stdin.write(b"\n")  # once it is answered the namespace is there
        keeper.stdin.flush()
        keeper.stdout.readline()
        host = Host(self, number, keeper.pid)
        run(*host.inside, "ip", "link", "set", "lo", "up")
        self.plug(number, keeper.pid, host.inside)
        return host

    def plug(self, number, process, inside=()):
        name = f"host{number}"
        tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
        run("ip", "link", "set", name, "address", f"02:00:00:00:00:{number:02x}")
        if inside:
            run("ip", "link", "set", name, "netns", str(process))
        run(*inside, "ip", "address", "add", f"{NET}.{number}/24", "dev", name)
        run(*inside, "ip", "link", "set", name, "up")
        self.switch.plug(number, tap)

    def wires(self, *pairs):
        return [self.switch.wires[one.number, other.number] for one, other in pairs]

    @contextlib.contextmanager
    def cut(self, *pairs):
        """What goes from the first of each pair to the second is lost."""
        wires = self.wires(*pairs)
        for wire in wires:
            wire.is_cut = True
        try:
            yield
        finally:
            for wire in wires:
                wire.is_cut = False

    @contextlib.contextmanager
    def slow(self, delay_s, loss, *pairs):
        wires = self.wires(*pairs)
        for wire in wires:
            wire.delay_s, wire.loss = delay_s, loss
        try:
            yield
        finally:
            for wire in wires:
                wire.delay_s, wire.loss = 0.0, 0.0

    def close(self):
        for keeper in self.keepers:
            keeper.stdin.close()
            keeper.wait()
            keeper.stdout.close()


class Host:
    def __init__(self, hosts, number, keeper):
        self.hosts = hosts
        self.number = number
        self.address = f"{NET}.{number}"
        self.inside = ("nsenter", f"--net=/proc/{keeper}/ns/net")  # before a command that is to run there


def both(one, other):
    """The pairs of a cut in both directions."""
    return (one, other), (other, one)


def run(*command):
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
