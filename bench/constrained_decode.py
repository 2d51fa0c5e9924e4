#!/usr/bin/env python3
"""What a constraint costs: time per token of constrained answers relative to free ones, in one run.

    python3 bench/constrained_decode.py build/release/bin/switchyard [--model smollm2] [--rounds 7]

Starts the server on the CPU and asks by turns, streamed, for a free answer and for answers that must fit a
schema, any JSON object, a regular expression and an EBNF grammar, each built to go on for as many tokens as
asked. The time of a token is that between the first and the last part of the stream. "first" is a grammar's first
request, which compiles it and makes its masks; its time to the first token holds the compiling.
"""

import argparse
import http.client
import json
import re
import statistics
import subprocess
import time

SCHEMA = {"type": "object", "properties": {"people": {"type": "array", "minItems": 100, "items": {
    "type": "object", "properties": {"name": {"type": "string", "minLength": 4, "maxLength": 12},
                                     "age": {"type": "integer", "minimum": 0, "maximum": 120},
                                     "hobbies": {"type": "array", "items": {"type": "string", "maxLength": 20},
                                                 "minItems": 1}},
    "required": ["name", "age", "hobbies"], "additionalProperties": False}}},
    "required": ["people"], "additionalProperties": False}
TEXT = {"type": "object", "properties": {"text": {"type": "string", "minLength": 1000}}, "required": ["text"]}

FORMS = {
    "free": {},
    "json_schema": {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}},
    "json_text": {"guided_json": TEXT},
    "json_object": {"response_format": {"type": "json_object"}},
    "regex": {"guided_regex": "([A-Z][a-z ,]{10,40}\\. ){50}"},
    "ebnf": {"guided_grammar": 'root ::= line{60}\nline ::= "- " word (" " word)* "\\n"\nword ::= [a-z]+'},
}


def ask(port, model, tokens, seed, fields):
    body = {"model": model, "messages": [{"role": "user", "content": "Write a JSON list of people."}],
            "temperature": 1, "seed": seed, "max_tokens": tokens, "stream": True, "ignore_eos": True,
            "stream_options": {"include_usage": True}, **fields}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    begun = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    times = []
    tokens = 0
    for line in answer:
        if line.startswith(b"data: {"):
            part = json.loads(line[6:])
            tokens = part["usage"]["completion_tokens"] if part.get("usage") else tokens
            if part["choices"] and part["choices"][0]["delta"].get("content"):
                times.append(time.perf_counter())
    connection.close()
    return {"first_s": times[0] - begun, "token_s": (times[-1] - times[0]) / max(tokens - 1, 1), "tokens": tokens}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=96)
    options = parser.parse_args()
    server = subprocess.Popen([options.program, "serve", options.model, "--chip", "cpu", "--port", "0",
                               "--context", "1024", "--no-request-log"], stdout=subprocess.PIPE, text=True)
    try:
        port = int(re.search(r":(\d+)/", server.stdout.readline()).group(1))
        ask(port, options.model, options.tokens, 0, {})  # the prompt's pages, the chip's kernels
        rounds = {name: [] for name in FORMS}
        for seed in range(options.rounds + 1):
            for name, fields in FORMS.items():
                rounds[name].append(ask(port, options.model, options.tokens, seed, fields))
        free = statistics.median(r["token_s"] for r in rounds["free"][1:])
        print(f"{'form':<12} {'ms/token':>9} {'of free':>8} {'first ms/token':>15} {'first TTFT ms':>14} {'tokens':>7}")
        for name, runs in rounds.items():
            token = statistics.median(r["token_s"] for r in runs[1:])
            # By turns: each is held against the free answer of its own round.
            ratio = statistics.median(r["token_s"] / f["token_s"] for r, f in zip(runs[1:], rounds["free"][1:]))
            tokens = statistics.median(r["tokens"] for r in runs)
            print(f"{name:<12} {token * 1e3:9.2f} {ratio:8.3f} {runs[0]['token_s'] * 1e3:15.2f} "
                  f"{runs[0]['first_s'] * 1e3:14.1f} {tokens:7.0f}")
        print(f"free: {1 / free:.1f} tokens/s; median of {options.rounds} rounds by turns")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
