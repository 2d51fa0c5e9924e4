#!/usr/bin/env python3
"""Checks the signature of a certificate without Switchyard, as docs/certificates.md describes it:
    verify_signature.py CERTIFICATE.json
Needs the openssl tool. Prints the key's fingerprint; exits with 1 if the signature is wrong.
"""

import base64
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tempfile

path = pathlib.Path(sys.argv[1])
# Strings stay as they are; white space between them goes.
text = re.sub(r'("(?:[^"\\]|\\.)*")|[ \t\r\n]+', lambda match: match.group(1) or "", path.read_text("utf-8"))
before, between = '{"certificate":', ',"signature":'
if not text.startswith(before) or between not in text:
    sys.exit(f"{path} is not a signed certificate")
message = text[len(before) : text.rindex(between)]
signature = json.loads(text)["signature"]
if signature["algorithm"] != "ed25519":
    sys.exit(f"{path} is signed with {signature['algorithm']}")
key = base64.b64decode(signature["public_key"], validate=True)

with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "message").write_bytes(message.encode("utf-8"))
    (folder / "value").write_bytes(base64.b64decode(signature["value"], validate=True))
    (folder / "key.der").write_bytes(key)
    verdict = subprocess.run(
        ["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", folder / "key.der", "-rawin"]
        + ["-in", folder / "message", "-sigfile", folder / "value"],
        capture_output=True,
    )
print("SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode())
sys.exit(0 if verdict.returncode == 0 else "the signature is wrong")
