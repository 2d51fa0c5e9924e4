"""The repository's files as the checks see them."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CODE = {".h", ".cc", ".c"}


def files(root: pathlib.Path, folders: list[str], suffixes: set[str] | None = None):
    """Every file under the folders, in order; hidden ones, caches and build trees are left out."""
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            parts = path.relative_to(root).parts
            if any(part.startswith(".") or part in ("build", "__pycache__") for part in parts):
                continue
            if path.is_file() and (suffixes is None or path.suffix in suffixes):
                yield path


def lines(path: pathlib.Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def words(text: str) -> list[str]:
    """The lower-case words of text, names taken apart: KvCache -> kv cache, kAvx512 -> k avx 512."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", text)
    return [word.lower() for word in found]


def run(problems) -> None:
    """The main program of a check: prints what problems(root) finds; exit code 1 if anything."""
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT
    found = problems(root)
    for problem in found:
        print(problem)
    print(f"{pathlib.Path(sys.argv[0]).name}: {len(found)} problem(s)")
    sys.exit(1 if found else 0)
