#!/usr/bin/env python3
"""A web server for tests of downloads, with the faults that real ones show.

    range_server.py FOLDER

Serves FOLDER on two free ports of 127.0.0.1, printed as one line "PORT PORT": to HTTP these are two
hosts. Knows Range, If-Range, ETag and Last-Modified. Ends when its standard input does.

A file NAME.behaviour.json beside NAME (which need not exist then) holds a list with one object for
each request, the last of which goes on if it says "forever". Keys:
  status        answer this instead of the file
  headers       added to the answer
  redirect      with status: the Location, where {other} is the other port's address
  cut_at        close the connection after this many bytes of the answer's body
  stall_at      send nothing more after this many bytes
  delay_s       wait before answering
  etag          this instead of the content's own; "" for none
  no_length     no Content-Length: the end of the connection ends the body
  no_range      answer with the whole file whatever is asked
  blind_range   obey Range but not If-Range
Each request is appended to FOLDER/requests.log as one line of JSON.
"""
import hashlib
import http.server
import json
import os
import sys
import threading
import time
import urllib.parse

ROOT = os.path.abspath(sys.argv[1])
LOCK = threading.Lock()
COUNTS = {}


def behaviour_of(path):
    try:
        with open(path + '.behaviour.json', encoding='utf-8') as file:
            steps = json.load(file)
    except FileNotFoundError:
        return {}
    with LOCK:
        count = COUNTS.get(path, 0)
        COUNTS[path] = count + 1
    if count < len(steps):
        return steps[count]
    return steps[-1] if steps and steps[-1].get('forever') else {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        path = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path)
        with LOCK, open(os.path.join(ROOT, 'requests.log'), 'a', encoding='utf-8') as log:
            log.write(json.dumps({'path': path, 'target': self.path, 'port': self.server.server_port,
                                  'headers': {k.lower(): v for k, v in self.headers.items()}}) + '\n')
        local = os.path.join(ROOT, path.lstrip('/'))
        if local.endswith('/'):
            local += 'index.html'
        step = behaviour_of(local)
        time.sleep(step.get('delay_s', 0))
        self.close_connection = True
        if 'status' in step:
            return self.answer(step, step['status'], b'a page of error\n', {})
        try:
            with open(local, 'rb') as file:
                body = file.read()
        except OSError:
            return self.answer(step, 404, b'not found\n', {})
        etag = step.get('etag', '"%s"' % hashlib.md5(body).hexdigest())
        headers = {'ETag': etag} if etag else {}
        asked = self.headers.get('Range')
        if_range = self.headers.get('If-Range')
        fresh = if_range is None or if_range == etag or step.get('blind_range')
        if not asked or not fresh or step.get('no_range'):
            return self.answer(step, 200, body, headers)
        first = int(asked.removeprefix('bytes=').split('-')[0])
        if first >= len(body):
            headers['Content-Range'] = 'bytes */%d' % len(body)
            return self.answer(step, 416, b'', headers)
        headers['Content-Range'] = 'bytes %d-%d/%d' % (first, len(body) - 1, len(body))
        return self.answer(step, 206, body[first:], headers)

    def answer(self, step, status, body, headers):
        self.send_response(status)
        if 'redirect' in step:
            others = [port for port in PORTS if port != self.server.server_port]
            other = 'http://127.0.0.1:%d' % others[0]
            self.send_header('Location', step['redirect'].replace('{other}', other))
        for name, value in {**headers, **step.get('headers', {})}.items():
            self.send_header(name, value)
        if not step.get('no_length'):
            self.send_header('Content-Length', str(len(body)))
        self.send_header('Connection', 'close')
        self.end_headers()
        end = min(step.get('cut_at', len(body)), step.get('stall_at', len(body)))
        try:
            self.wfile.write(body[:end])
            self.wfile.flush()
            if 'stall_at' in step:
                # Longer than any test waits; the thread dies with the process.
                time.sleep(60)
        except OSError:
            pass

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


SERVERS = [Server(('127.0.0.1', 0), Handler) for _ in range(2)]
PORTS = [server.server_port for server in SERVERS]
for server in SERVERS:
    threading.Thread(target=server.serve_forever, daemon=True).start()
print(*PORTS, flush=True)
sys.stdin.read()
