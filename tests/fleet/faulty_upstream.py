"""A server of OpenAI's protocol that fails as a test says. It stands for outside engines and belongs
to tests only. Its answer is always the same sixty words, a token each; further choices have others.
"""

import json
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = [f"word{i} " for i in range(60)]
ANSWER = "".join(WORDS)
MODEL = "m"
PROMPT_IDS = list(range(1, 8))
FIRST_ID = 1000  # of the first word


def words_of(choice):
    return WORDS if choice == 0 else [f"w{choice}-{i} " for i in range(60)]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.server.upstream.is_away:
            return self.reset()
        if self.path == "/v1/models":
            return self.whole({"object": "list", "data": [{"id": MODEL, "object": "model", **self.server.upstream.listed}]})
        self.whole({})

    def do_POST(self):
        if self.server.upstream.is_away:
            return self.reset()
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request["path"] = self.path
        if request.get("max_tokens") == 1:
            return self.probe(request)
        fault, number = self.server.upstream.next(request)
        if fault is not None and fault(self, request, number):
            return
        self.answer(request)

    def can(self, ability):
        return ability in self.server.upstream.abilities

    def probe(self, request):
        """What a gateway asks to find out what the server can do."""
        ids = {"token_ids": [FIRST_ID]} if self.can("token_ids") and request.get("return_token_ids") else {}
        if self.path == "/v1/completions":
            if not self.can("token_prompts"):
                return self.error(404, "no completions here")
            return self.whole({"choices": [{"index": 0, "text": "a", "finish_reason": "length", **ids}],
                               "usage": {"prompt_tokens": len(request["prompt"]), "completion_tokens": 1}})
        if self.can("continue") and request.get("continue_final_message") and request.get("add_generation_prompt"):
            return self.error(400, "these two contradict each other")
        self.whole({"choices": [{"index": 0, "message": {"role": "assistant", "content": "a"}, "finish_reason": "length",
                                 **ids}]})

    def whole(self, body, status=200, headers=None):
        text = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(text), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(text)

    def error(self, status, message, code=None, headers=None):
        self.whole({"error": {"message": message, "type": "server_error" if status >= 500 else "invalid_request_error",
                              "param": None, "code": code}}, status, headers)

    def head(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def event(self, data):
        text = f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def leave(self):
        """In the midst of an answer, of which nothing is lost."""
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True

    def reset(self):
        """Without the farewell of TCP."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def chunk(self, delta, finish=None, choice=0):
        return {"id": f"chatcmpl-{self.server.upstream.name}", "object": "chat.completion.chunk", "created": 1,
                "model": self.server.upstream.model,
                "choices": [{"index": choice, "delta": delta, "finish_reason": finish}]}

    def word(self, request, i, choice=0):
        """The event of one word, as the request wants it."""
        if self.path == "/v1/completions":
            chunk = self.chunk({}, None, choice)
            chunk["object"] = "text_completion"
            del chunk["choices"][0]["delta"]
            chunk["choices"][0]["text"] = words_of(choice)[i]
        else:
            chunk = self.chunk({"content": words_of(choice)[i]}, None, choice)
        if request.get("return_token_ids") and self.can("token_ids"):
            chunk["choices"][0]["token_ids"] = [FIRST_ID + i]
        return chunk

    usage = {"prompt_tokens": 7, "completion_tokens": 60, "total_tokens": 67}

    def begun(self, request):
        """How many words the request already has; None: it is refused."""
        if self.path == "/v1/completions":
            prompt = request["prompt"]
            return sum(1 for token in prompt if token >= FIRST_ID) if isinstance(prompt, list) else prompt.count(" word")
        last = request["messages"][-1]
        if last["role"] != "assistant":
            return 0
        return None if self.server.upstream.refuses_prefill else last["content"].count(" ")

    def answer(self, request, upto=60, gap=0.0, done=True, between=None):
        """`between`: called before each word with its number; says whether to stop."""
        begun = self.begun(request)
        if begun is None:
            return self.error(400, "This model does not support assistant message prefill.")
        choices = range(request.get("n") or 1)
        if not request.get("stream"):
            self.whole({"id": "chatcmpl-x", "object": "chat.completion", "created": 1, "model": self.server.upstream.model,
                        "choices": [{"index": choice, "finish_reason": "stop", "message": {
                            "role": "assistant", "content": "".join(words_of(choice)[begun:])}} for choice in choices],
                        "usage": self.usage})
            return
        self.head()
        ids = request.get("return_token_ids") and self.can("token_ids")
        if self.path != "/v1/completions":
            for choice in choices:
                opening = self.chunk({"role": "assistant", "content": ""}, None, choice)
                self.event({**opening, "prompt_token_ids": PROMPT_IDS} if ids else opening)
        for i in range(begun, min(begun + upto, 60)):
            if between is not None and between(i):
                return
            for choice in choices:
                self.event(self.word(request, i, choice))
            if gap:
                time.sleep(gap)
        if upto < 60:
            return
        for choice in choices:
            end = self.word(request, 59, choice)
            for key in ("delta", "text", "token_ids"):
                if key in end["choices"][0]:
                    end["choices"][0][key] = {"delta": {}, "text": "", "token_ids": []}[key]
            end["choices"][0]["finish_reason"] = "stop"
            self.event(end)
        if (request.get("stream_options") or {}).get("include_usage"):
            self.event({**self.chunk({}), "choices": [], "usage": {
                "prompt_tokens": 7 + begun, "completion_tokens": (60 - begun) * len(choices),
                "total_tokens": 7 + begun + (60 - begun) * len(choices)}})
        if done:
            self.event("[DONE]")
        self.end()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass  # a client that left


class Upstream:
    """`fault(handler, request, number)` answers a request itself and says so, or lets it pass."""

    def __init__(self, name, fault=None, refuses_prefill=True, model=MODEL, abilities=(),
                 context=None):
        self.name = name
        self.model = model
        self.fault = fault
        self.refuses_prefill = refuses_prefill
        self.abilities = abilities  # of "continue", "token_ids", "token_prompts"
        self.listed = {"max_model_len": context} if context else {}
        self.is_away = False  # it then answers nothing at all
        self.times = []
        self.requests = []
        self.lock = threading.Lock()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.upstream = self
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def next(self, request):
        with self.lock:
            self.times.append(time.monotonic())
            self.requests.append(request)
            return self.fault, len(self.times)

    @property
    def attempts(self):
        return len(self.times)

    def within(self, seconds):
        return sum(1 for at in self.times if at - self.times[0] <= seconds)

    def close(self):
        self.server.shutdown()
        self.server.server_close()
