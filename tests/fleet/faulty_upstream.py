"""A server of OpenAI's protocol that fails as a test says. It stands for outside engines and belongs
to tests only. Its answer is always the same sixty words, a token each.
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


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path == "/v1/models":
            return self.whole({"object": "list", "data": [{"id": MODEL, "object": "model"}]})
        self.whole({})

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault, number = self.server.upstream.next(request)
        if fault is not None and fault(self, request, number):
            return
        self.answer(request)

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

    def reset(self):
        """Without the farewell of TCP."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def chunk(self, delta, finish=None):
        return {"id": f"chatcmpl-{self.server.upstream.name}", "object": "chat.completion.chunk", "created": 1,
                "model": self.server.upstream.model, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    usage = {"prompt_tokens": 7, "completion_tokens": 60, "total_tokens": 67}

    def answer(self, request, upto=60, gap=0.0, done=True, between=None):
        """`between`: called before each word with its number; says whether to stop."""
        words = WORDS
        last = request["messages"][-1]
        if last["role"] == "assistant":
            if self.server.upstream.refuses_prefill:
                return self.error(400, "This model does not support assistant message prefill.")
            begun = last["content"].count(" ")
            words = WORDS[begun:]
        if not request.get("stream"):
            self.whole({"id": "chatcmpl-x", "object": "chat.completion", "created": 1, "model": self.server.upstream.model,
                        "choices": [{"index": 0, "message": {"role": "assistant", "content": "".join(words)},
                                     "finish_reason": "stop"}], "usage": self.usage})
            return
        self.head()
        self.event(self.chunk({"role": "assistant", "content": ""}))
        for i, word in enumerate(words[:upto]):
            if between is not None and between(i):
                return
            self.event(self.chunk({"content": word}))
            if gap:
                time.sleep(gap)
        if upto < 60:
            return
        self.event(self.chunk({}, "stop"))
        if (request.get("stream_options") or {}).get("include_usage"):
            self.event({**self.chunk({}), "choices": [], "usage": self.usage})
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

    def __init__(self, name, fault=None, refuses_prefill=True, model=MODEL):
        self.name = name
        self.model = model
        self.fault = fault
        self.refuses_prefill = refuses_prefill
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
