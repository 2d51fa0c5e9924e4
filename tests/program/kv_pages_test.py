#!/usr/bin/env python3
"""Moves KV pages between servers over HTTP, on the real default model, as a gateway does.

    kv_pages_test.py PROGRAM

Skipped, saying so, where the model cannot be had.
"""

import http.client
import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "server"))
import served  # noqa: E402
import served_model  # noqa: E402

PROGRAM = ""
PROMPT = "The seven days of the week and what people do on them: " * 16


def setUpModule():
    served_model.pull(PROGRAM)


class Member(served.ServedModel):
    """A server with a member's key, and one for clients."""

    def __init__(self, *arguments, **how):
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as keys:
            keys.write("mk-gateway\n")
            keys.flush()
            super().__init__(PROGRAM, "--member-key-file", keys.name, *arguments, key="sk-client", **how)

    def exchange(self, path, body, key="mk-gateway"):
        """Status, headers and bytes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=240)
        try:
            connection.request("POST", path, body if isinstance(body, bytes) else json.dumps(body),
                               {"Authorization": f"Bearer {key}"})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def complete(self, **fields):
        status, _, body = self.exchange("/v1/completions", {
            "model": self.model, "prompt": PROMPT, "max_tokens": 60, "seed": 5, "temperature": 1,
            "ignore_eos": True, "return_token_ids": True, **fields}, key="sk-client")
        assert status == 200, body
        return json.loads(body)

    def export(self, tokens, **fields):
        return self.exchange("/switchyard/v1/kv/export", {"prompt_token_ids": tokens, **fields})

    def take(self, pages):
        status, _, body = self.exchange("/switchyard/v1/kv/import", pages)
        return status, json.loads(body)


class KvPages(unittest.TestCase):
    def member(self, *arguments, **how):
        one = Member(*arguments, **how)
        self.addCleanup(one.stop)
        return one

    def test_an_answer_that_was_cut_goes_on_with_the_pages_of_another_member(self):
        first, second = self.member(), self.member()
        whole = first.complete()
        choice = whole["choices"][0]
        prompt, cut = choice["prompt_token_ids"], 40
        text = prompt + choice["token_ids"][:cut]
        # In pieces of a megabyte.
        at, pieces = 0, 0
        while True:
            status, headers, pages = first.export(text, first_token=at, max_bytes=1 << 20)
            if status == 404:
                break
            self.assertEqual(status, 200, pages)
            self.assertLessEqual(len(pages), 1 << 20)
            status, taken = second.take(pages)
            self.assertEqual(status, 200, taken)
            self.assertEqual(taken["cached_tokens"], int(headers["x-switchyard-next-token"]))
            at, pieces = taken["cached_tokens"], pieces + 1
        self.assertEqual(at, len(text) // 32 * 32)
        self.assertGreater(pieces, 2)
        rest = second.complete(switchyard={"version": 1, "resume": {
            "prompt_token_ids": prompt, "choices": [{"index": 0, "token_ids": text[len(prompt):]}]}})
        again = rest["choices"][0]
        self.assertEqual(again["token_ids"], choice["token_ids"][cut:])
        self.assertTrue(choice["text"].endswith(again["text"]))
        self.assertEqual(rest["usage"]["prompt_tokens_details"]["cached_tokens"], min(at, len(prompt)))
        self.assertEqual(second.metric("switchyard_kv_tokens_imported_total"), at)
        self.assertEqual(first.metric("switchyard_kv_tokens_exported_total"), at)
        self.assertEqual(second.metric("vllm:prefix_cache_hits_total"), min(at, len(prompt)))
        # What came in goes out again.
        self.assertEqual(first.export(text)[2], second.export(text)[2])

    def test_what_does_not_fit_is_refused(self):
        first = self.member()
        prompt = first.complete(max_tokens=1)["choices"][0]["prompt_token_ids"]
        pages = first.export(prompt)[2]
        self.assertEqual(first.exchange("/switchyard/v1/kv/import", pages, key="sk-client")[0], 403)
        broken = bytearray(pages)
        broken[len(pages) // 2] ^= 1
        self.assertIn("checksum", first.take(bytes(broken))[1]["error"]["message"])
        other = self.member("--kv-type", "f32")
        status, answer = other.take(pages)
        self.assertEqual(status, 400)
        self.assertIn("hold f16 and this server's cache f32", answer["error"]["message"])
        stranger = self.member(tiny=True)
        status, answer = stranger.take(pages)
        self.assertEqual((status, answer["error"]["code"]), (400, "other_model"))
        self.assertIn("`tiny`", answer["error"]["message"])


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
