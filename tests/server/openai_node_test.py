#!/usr/bin/env python3
"""OpenAI's client for Node against the server.

    openai_node_test.py SERVER BUILD_FOLDER

As openai_python_test.py.
"""

import pathlib
import shutil
import sys

import client_environment
import openai_python_test
import served

if __name__ == "__main__":
    if shutil.which("npm") is None:
        sys.exit("npm is missing; tools/install_packages.sh test installs it")
    # Node looks for packages beside the suite, and upwards.
    modules = client_environment.node_modules(sys.argv[2])
    suite = modules.parent / "openai_suite.mjs"
    shutil.copyfile(pathlib.Path(__file__).with_name("openai_suite.mjs"), suite)
    sys.exit(openai_python_test.run(["node", suite], served.start(sys.argv[1], "sk-right")))
