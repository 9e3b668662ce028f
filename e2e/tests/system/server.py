"""A server on $PORT that says what it got: for tests of function URLs. Standard library only."""

import base64
import hashlib
import json
import os
import struct
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def do_GET(self):
        if self.headers.get("upgrade", "").lower() == "websocket":
            return self.web_socket()
        if self.path == "/slow-stream":
            return self.slow_stream()
        return self.tell()

    do_HEAD = do_PUT = do_DELETE = do_PATCH = do_GET

    def do_POST(self):
        if self.path == "/echo-stream":
            return self.echo_stream()
        if self.path == "/status":
            return self.answer(int(self.body()), b"as you wish")
        return self.tell()

    def tell(self):
        print("called", self.command, self.path, flush=True)
        said = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.body().decode("utf-8", "replace"),
        }
        self.answer(200, json.dumps(said).encode(), "application/json")

    def answer(self, status, body, content_type="text/plain"):
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("strict-transport-security", "max-age=1")
        self.send_header("x-own", "kept")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(self.chunks())
        return self.rfile.read(int(self.headers.get("content-length", 0)))

    def chunks(self):
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def chunked(self):
        self.send_response(200)
        self.send_header("content-type", "application/octet-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def echo_stream(self):
        """Each piece goes back before the next is read."""
        self.chunked()
        for piece in self.chunks():
            self.chunk(piece.upper())
        self.chunk(b"")

    def slow_stream(self):
        import time

        self.chunked()
        for i in range(3):
            self.chunk(b"piece %d\n" % i)
            time.sleep(0.3)
        self.chunk(b"")

    def web_socket(self):
        key = self.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("upgrade", "websocket")
        self.send_header("connection", "upgrade")
        self.send_header("sec-websocket-accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        while True:
            opcode, data = self.frame()
            if opcode == 8:
                self.wfile.write(struct.pack("!BB", 0x88, len(data)) + data)
                self.close_connection = True
                return
            data = b"echo: " + data
            self.wfile.write(struct.pack("!BB", 0x80 | opcode, len(data)) + data)

    def frame(self):
        first, second = self.rfile.read(2)
        mask = self.rfile.read(4)
        data = self.rfile.read(second & 0x7F)
        return first & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))

    def log_message(self, *_):
        pass


print("starting", file=sys.stderr, flush=True)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
