"""llama.cpp's own server, built for this very machine.

It comes out of the source archive of the same PyPI package at the same version as the peer of the
other benchmarks (tests/peers/peer_environment.py), and is built once under build/peers, which takes
many minutes. SWITCHYARD_PEER_SERVER names an existing llama-server to use instead.
"""

import os
import pathlib
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "peers"))
import peer_environment  # noqa: E402

FOLDER = ROOT / "build" / "peers"
PACKAGE = next(package for package in peer_environment.PACKAGES if package.startswith("llama-cpp-python"))
NAME = PACKAGE.replace("==", "-").replace("llama-cpp-python", "llama_cpp_python")
OPTIONS = [
    "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DLLAMA_BUILD_TOOLS=ON", "-DLLAMA_BUILD_SERVER=ON",
    "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF", "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF", "-DLLAMA_OPENSSL=OFF",
    # Where there are tile registers (AMX), g++ 12 drops stores that their configuration needs, and
    # llama.cpp dies of SIGILL.
    "-DCMAKE_CXX_FLAGS=-fno-tree-dse -fno-dse",
]  # fmt: skip


def _build(folder: pathlib.Path) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    print(f"Building llama-server of {PACKAGE} into {folder} (many minutes, once)", flush=True)
    archive = FOLDER / f"{NAME}.tar.gz"
    if not archive.exists():
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary",
             "llama-cpp-python", "--dest", str(FOLDER), PACKAGE],
            check=True,
        )  # fmt: skip
    with tarfile.open(archive) as packed:
        packed.extractall(FOLDER, filter="data")
    source = FOLDER / NAME / "vendor" / "llama.cpp"
    subprocess.run(["cmake", "-S", str(source), "-B", str(folder), *OPTIONS], check=True)
    subprocess.run(
        ["cmake", "--build", str(folder), "--target", "llama-server", "-j", str(os.cpu_count())], check=True
    )


def program() -> pathlib.Path:
    """The path of llama-server; builds it if need be."""
    given = os.environ.get("SWITCHYARD_PEER_SERVER")
    if given:
        if not os.access(given, os.X_OK):
            sys.exit(f"SWITCHYARD_PEER_SERVER={given} is no program; name a llama-server or unset it.")
        return pathlib.Path(given)
    binary = FOLDER / "llama-server" / "bin" / "llama-server"
    if not binary.exists():
        try:
            _build(FOLDER / "llama-server")
        except (subprocess.CalledProcessError, OSError) as failure:
            sys.exit(f"llama-server could not be built: {failure}")
    return binary


def version(binary: pathlib.Path) -> str:
    """Its own words, and the package where we built it."""
    done = subprocess.run([str(binary), "--version"], capture_output=True, text=True)
    lines = (done.stderr + done.stdout).strip().splitlines()
    said = next((line for line in lines if line.startswith("version")), "version unknown")
    said = said.split(" (")[0]  # what it calls its commit is that of whatever folder it was built in
    return f"llama-server ({said}{'' if os.environ.get('SWITCHYARD_PEER_SERVER') else ', of ' + PACKAGE})"
