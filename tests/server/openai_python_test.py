#!/usr/bin/env python3
"""OpenAI's Python client, synchronous and asynchronous, against the server.

    openai_python_test.py SERVER BUILD_FOLDER

SERVER is the scripted server, or `switchyard` itself, which then serves the default model.
"""

import os
import pathlib
import subprocess
import sys

import client_environment
import served

ANSWER = "One two three, said the scripted engine."


def run(command, server):
    """Runs a suite on `server`; its exit status is the test's."""
    scripted = {"SWITCHYARD_SCRIPTED_ANSWER": ANSWER} if served.is_scripted(server) else {}
    result = subprocess.run([*command, server.base_url, server.model, server.key],
                            env={**os.environ, **scripted}, check=False)
    ended = server.stop()
    return result.returncode != 0 or ended != 0


if __name__ == "__main__":
    client_environment.enter(sys.argv[2])
    suite = pathlib.Path(__file__).with_name("openai_suite.py")
    sys.exit(run([sys.executable, suite], served.start(sys.argv[1], "sk-right")))
