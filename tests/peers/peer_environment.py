"""The Python environment in which llama.cpp, the program we compare with, lives.

The peer is the PyPI package llama-cpp-python, built from source for this very machine
(GGML_NATIVE=ON), at a pinned version. The first call makes the environment under build/peers/venv,
which takes several minutes; later calls reuse it. SWITCHYARD_PEER_VENV names another environment
that already holds the same packages.

A script calls enter() first thing in main(): it starts the script again under the environment's
own Python, so that the script itself runs with nothing but Debian's python3.
"""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ["numpy==2.4.6", "gguf==0.19.0", "llama-cpp-python==0.3.36"]
MARK = "complete.txt"


def _make(venv: pathlib.Path) -> None:
    print(f"Building the peer programs into {venv} (minutes, once): {' '.join(PACKAGES)}", flush=True)
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    environment = dict(
        os.environ,
        CMAKE_ARGS="-DGGML_NATIVE=ON -DCMAKE_BUILD_TYPE=Release",
        # Where there are tile registers (AMX): g++ 12 believes that loading their configuration reads
        # 8 bytes of its 64 and drops the stores of the others, and llama.cpp dies of SIGILL.
        CXXFLAGS=os.environ.get("CXXFLAGS", "") + " -fno-tree-dse -fno-dse",
    )
    subprocess.run(
        [str(venv / "bin" / "pip"), "install", "--quiet", "--no-binary", "llama-cpp-python", *PACKAGES],
        env=environment,
        check=True,
    )
    (venv / MARK).write_text("\n".join(PACKAGES) + "\n")


def enter() -> None:
    """Goes on under the peer environment's Python; returns only there."""
    if os.environ.get("SWITCHYARD_PEER_ENTERED") == "1":
        return
    given = os.environ.get("SWITCHYARD_PEER_VENV")
    venv = pathlib.Path(given) if given else ROOT / "build" / "peers" / "venv"
    python = venv / "bin" / "python"
    if given and not python.exists():
        sys.exit(f"SWITCHYARD_PEER_VENV={given} holds no bin/python; name a virtual environment or unset it.")
    if not given:
        mark = venv / MARK
        if not mark.exists() or mark.read_text().split() != PACKAGES:
            try:
                _make(venv)
            except (subprocess.CalledProcessError, OSError) as failure:
                sys.exit(f"The peer environment could not be built: {failure}")
    os.execve(str(python), [str(python), *sys.argv], dict(os.environ, SWITCHYARD_PEER_ENTERED="1"))
