// A JSON API for notes, as a warm process: one server on $PORT for many calls.
//
//   POST /            add a note {"title", "text", "tags"}, or a list of them      -> 201
//   GET /             ?q=words&tag=word&limit=n                                     -> 200, newest first
//   GET, DELETE /ID   one note                                                      -> 200, 204
//   GET /healthz      the probe                                                     -> 200

import { createServer } from "node:http";
import { Notes, Refused } from "./notes.mjs";

const MAX_BODY = 1024 * 1024;
const GRACE_MS = 5_000;

const notes = new Notes();

async function body(request) {
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Refused(413, `the body is longer than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    throw new Refused(400, `the body is not JSON: ${error.message}`);
  }
}

function whole(text, what) {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Refused(404, `${what} has to be a whole number`);
  return Number(text);
}

async function answer(request) {
  const url = new URL(request.url, "http://localhost");
  const path = url.pathname.replace(/\/+$/, "") || "/";
  if (path === "/healthz") return [200, { status: "ok", notes: notes.size }];
  if (path === "/") {
    if (request.method === "POST") {
      const given = await body(request);
      const added = (Array.isArray(given) ? given : [given]).map((note) => notes.add(note ?? {}));
      return [201, Array.isArray(given) ? added : added[0]];
    }
    if (request.method === "GET") {
      const { q = "", tag = "", limit = "50" } = Object.fromEntries(url.searchParams);
      return [200, notes.list({ query: q, tag, limit: Math.min(whole(limit, "limit"), 1000) })];
    }
    throw new Refused(405, "notes are read with GET and added with POST");
  }
  const id = whole(path.slice(1), "the id of a note");
  if (request.method === "GET") return [200, notes.get(id)];
  if (request.method === "DELETE") return [204, notes.remove(id)];
  throw new Refused(405, "a note is read with GET and removed with DELETE");
}

function log(request, status, started) {
  const line = {
    // With it the platform knows which call this line belongs to, even when calls overlap.
    invocation_id: request.headers["eventflow-invocation-id"] ?? request.headers["ce-id"],
    method: request.method,
    path: request.url,
    status,
    ms: Math.round((performance.now() - started) * 1000) / 1000,
  };
  console.log(JSON.stringify(line));
}

const server = createServer(async (request, response) => {
  const started = performance.now();
  let status = 500;
  let value = { error: "internal error" };
  try {
    [status, value] = await answer(request);
  } catch (error) {
    if (error instanceof Refused) {
      [status, value] = [error.status, { error: error.message }];
    } else {
      console.error(error);
    }
  }
  const text = value === undefined ? "" : `${JSON.stringify(value)}\n`;
  response.writeHead(status, text === "" ? {} : { "content-type": "application/json" });
  response.end(text);
  if (request.url !== "/healthz") log(request, status, started);
});

const port = Number(process.env.PORT ?? 8080);
server.listen(port, "127.0.0.1", () => console.log(`listening on ${server.address().port}`));

// Asked to stop: no new connections, running requests end, then the process does.
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, () => {
    console.log(`${signal}: stopping`);
    server.close(() => process.exit(0));
    server.closeIdleConnections();
    setTimeout(() => process.exit(1), GRACE_MS).unref();
  });
}
