"""A server on $PORT for the function URLs of a storm: it notes each request in the ledger that is its argument, then gives
the body back behind the id that it was told. Standard library only."""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LEDGER = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
PIECES = 4


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        url = urlsplit(self.path)
        name, query = url.path.strip("/"), parse_qs(url.query)
        body = self.body()
        call, attempt = self.headers["eventflow-invocation-id"], self.headers["eventflow-attempt"]
        # One append, so that no line is torn.
        os.write(LEDGER, f"{call} {attempt} {name}\n".encode())
        self.send_response(int(query.get("status", ["200"])[0]))
        self.send_header("content-type", "text/plain")
        self.send_header("x-visited", name)
        self.send(f"{call} ".encode() + body, "stream" in query)

    do_POST = do_GET

    def send(self, answer, streamed):
        if not streamed:
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        size = len(answer) // PIECES + 1
        for start in range(0, len(answer), size):
            piece = answer[start : start + size]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def body(self):
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
