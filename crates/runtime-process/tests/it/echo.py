import http.server, os, socket, sys, threading, time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, text, status=200, headers=()):
        data = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Keep-Alive", "timeout=5")
        self.send_header("Connection", "keep-alive")
        self.end_headers()
        self.wfile.write(data)

    def chunk(self, text):
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def do_POST(self):
        if self.path == "/shout":
            length = int(self.headers["content-length"])
            self.send_response(200)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            while length > 0:
                piece = self.rfile.read1(length)
                self.wfile.write(piece.upper())
                length -= len(piece)
            return
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.answer(body, 201, [
            ("x-path", self.path),
            ("x-mine", self.headers.get("x-mine", "")),
            ("x-trace", self.headers.get("traceparent", "")),
        ])

    def do_GET(self):
        path, _, query = self.path.partition("?")
        getattr(self, "get_" + path[1:].replace("-", "_"))(query)

    def get_healthy(self, query):
        self.answer("yes")

    def get_peer(self, query):
        self.answer(str(self.client_address[1]))

    def get_pid(self, query):
        self.answer(str(os.getpid()))

    def get_sleepy_pid(self, query):
        time.sleep(0.2)
        self.answer(str(os.getpid()))

    def get_env(self, query):
        self.answer(" ".join(sorted(os.environ)))

    def get_value(self, query):
        self.answer(os.environ[query])

    def get_sleep(self, query):
        time.sleep(float(query))
        self.answer("awake")

    def get_say(self, query):
        print(query)
        print("err-" + query, file=sys.stderr)
        self.answer("said")

    def get_say_together(self, query):
        together.wait()
        sys.stdout.write(query + "\n")
        together.wait()
        self.answer("said")

    def get_stream(self, query):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.chunk("one\n")
        time.sleep(float(query))
        self.chunk("two\n")
        self.wfile.write(b"0\r\n\r\n")

    def get_break(self, query):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"part")
        self.close_connection = True

    def get_exit(self, query):
        os._exit(int(query))

    def get_hog(self, query):
        held = []
        while True:
            held.append(bytearray(b"x" * (1 << 20)))

    def get_upgrade(self, query):
        self.send_response(101)
        self.send_header("Connection", "upgrade")
        self.send_header("Upgrade", self.headers["upgrade"])
        self.end_headers()
        while piece := self.connection.recv(100):
            self.connection.sendall(piece)
        self.close_connection = True


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


# The two calls of say-together.
together = threading.Barrier(2)
# Before it listens: what is printed after may already be within a call.
print("starting")
server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
server.serve_forever()
