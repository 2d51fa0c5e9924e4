#!/usr/bin/env python3
"""Serves a model with llama.cpp's own server, as a member of a fleet that is not Switchyard.

    tools/outside_engine.py install FOLDER                           a Python environment with it
    FOLDER/bin/python tools/outside_engine.py serve MODEL PORT NAME  until it is ended

The engine is the PyPI package xllamacpp, whose wheel holds llama.cpp's server ready built: 33 MB, the same file
every time. It speaks OpenAI's protocol and knows nothing of hand-over.
"""

import pathlib
import signal
import subprocess
import sys
import tempfile

REQUIREMENT = """xllamacpp==2026.10.11549 \\
  --hash=sha256:c54e7d13520ecc989c63dc99d55de3065e2f343a91f43f053d16b5e62077c261
"""


def install(folder):
    folder = pathlib.Path(folder)
    done = folder / "installed.txt"
    if done.exists() and done.read_text(encoding="utf-8") == REQUIREMENT:
        return
    print("bringing an outside engine (llama.cpp's server, PyPI package xllamacpp, 33 MB) ...", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write(REQUIREMENT)
        requirements.flush()
        subprocess.run([str(folder / "bin/python"), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes",
                        "--only-binary", ":all:", "--disable-pip-version-check", "-r", requirements.name], check=True)
    done.write_text(REQUIREMENT, encoding="utf-8")


def serve(model, port, name):
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = model
    params.model_alias = {name}
    params.port = int(port)
    params.n_ctx = 4096
    params.n_parallel = 2
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(params)
    print(f"llama.cpp {xllamacpp.__version__} serves {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})


def main():
    arguments = sys.argv[1:]
    if len(arguments) == 2 and arguments[0] == "install":
        install(arguments[1])
    elif len(arguments) == 4 and arguments[0] == "serve":
        serve(*arguments[1:])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
