"""Starts the scripted server for one suite, and asks it plainly."""

import http.client
import json
import subprocess
import sys

SKIPPED = 77


class Served:
    """tests/server/scripted_server.cc in a child process."""

    def __init__(self, program, key=None):
        self.child = subprocess.Popen([program, *([key] if key else [])], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.port = int(self.child.stdout.readline())

    def ask(self, method, path, body=None, headers=None):
        """Status, headers and body of one exchange."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            text = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
            connection.request(method, path, text, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode()
        finally:
            connection.close()

    def metric(self, name):
        text = self.ask("GET", "/metrics")[2]
        line = next(line for line in text.splitlines() if line.startswith(name + "{"))
        return float(line.rsplit(" ", 1)[1])

    def stop(self):
        self.child.stdin.close()
        return self.child.wait(timeout=30)


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)
