#!/usr/bin/env python3
"""Cuts the answers of an engine that is not ours at every event, and holds what a client is given
against what the engine says undisturbed.

    outside_engine.py PROGRAM PORT MODEL [--level 2] [--tokens 16] [--beside PORT]

The engine (vLLM, SGLang, llama.cpp's server, ...) serves MODEL at PORT of this machine. Two members of
a gateway stand for it, and who answers is cut behind one event after the other, so that the same
engine goes on as the other member; with --beside the other one is a server of ours at that port, which
must say the same greedily. LEVEL is what probing must find it to be able to
(docs/handover.md). Drawn greedily, each answer must be the undisturbed one: its text, its
finish_reason and its usage. Prints at which level answers moved; exit 0 only if all were right.
"""

import argparse
import collections
import contextlib
import sys
import tempfile

import fleet

HEAD = """admin_key_file = "{keys}"
[timeouts]
first_token_seconds = 60
[watch]
every_seconds = 0.2
timeout_seconds = 5
[breaker]
failures = 100
share = 1.0
[retry]
per_second = 1000
"""


def said(reply):
    """Text, finish_reason and how many tokens. Engines cut text into events as they like, and not all tell of
    half a character at the end."""
    assert reply.status == 200, reply.body
    assert reply.data.count("[DONE]") == 1, reply.body
    choices = [choice for chunk in reply.chunks for choice in chunk["choices"]]
    text = "".join(choice.get("text") or choice.get("delta", {}).get("content") or "" for choice in choices)
    finish = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    usage = [chunk["usage"] for chunk in reply.chunks if chunk.get("usage")]
    return text.rstrip("\ufffd"), finish, [(one["prompt_tokens"], one["completion_tokens"], one["total_tokens"]) for one in usage]


def cut_everywhere(port, cut, path, body, undisturbed):
    """Asks the gateway again and again, cut behind one event more each time; ends when there is nothing
    left to cut. How many answers moved, by level; and at how many all was said when the cut came."""
    moved = collections.Counter()
    for events in range(1, 10 * body["max_tokens"]):
        before = cut.done
        cut.set(events)
        reply = fleet.ask(port, path, body)
        assert said(reply) == undisturbed, f"cut behind {events} events: {undisturbed} became {reply.body}"
        if cut.done == before:
            break
        comments = [comment for comment in reply.comments if "handover level=" in comment]
        levels = [comment.split("level=")[1].split()[0] for comment in comments]
        moved.update([f"at level {level}" for level in levels] or ["when all was said"])
    cut.set(None)
    return moved


@contextlib.contextmanager
def cut_fleet(program, members, model):
    """A gateway, and what cuts its `members`: a port and a level each, at which the member is found to be
    able to go on before this is entered. Level 1 is a server of ours."""
    with contextlib.ExitStack() as stack:
        cut = fleet.Cut()
        cutters = [stack.enter_context(contextlib.closing(fleet.Cutter(port, cut))) for port, _ in members]
        keys = stack.enter_context(tempfile.NamedTemporaryFile("w"))
        keys.write("ok-1\n")
        keys.flush()
        levels = [level for _, level in members]
        entries = [fleet.entry(f"m{i}", cutter.port, kind="switchyard" if level == 1 else "openai", models=[model])
                   for i, (cutter, level) in enumerate(zip(cutters, levels))]
        gateway = stack.enter_context(contextlib.closing(fleet.Gateway(program, entries, HEAD.format(keys=keys.name))))
        told = lambda: [member["hand_over_level"] for member in fleet.get(
            gateway.port, "/switchyard/v1/fleet", {"Authorization": "Bearer ok-1"}).json["members"]]
        fleet.wait_until(lambda: told() == levels, 120)
        yield gateway, cut


def questions(model, tokens):
    greedy = {"model": model, "max_tokens": tokens, "temperature": 0, "seed": 1, "stream": True,
              "stream_options": {"include_usage": True}}
    return (("/v1/chat/completions",
             {**greedy, "messages": [{"role": "user", "content": "Répète: héé ☃ 日本語 😀"}]}),
            ("/v1/completions", {**greedy, "prompt": "Once upon a time"}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("port", type=int)
    parser.add_argument("model")
    parser.add_argument("--level", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--beside", type=int, metavar="PORT")
    options = parser.parse_args()
    member = (options.port, options.level)
    members = [member, (options.beside, 1) if options.beside else member]
    with cut_fleet(options.program, members, options.model) as (gateway, cut):
        for path, body in questions(options.model, options.tokens):
            undisturbed = said(fleet.ask(options.port, path, body))
            moved = cut_everywhere(gateway.port, cut, path, body, undisturbed)
            counts = ", ".join(f"{count} {how}" for how, count in sorted(moved.items()))
            print(f"{path}: {undisturbed[0]!r}, {undisturbed[1]}; {sum(moved.values())} cuts, each the same: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
