// Tests of the notes example: `node --test` in this folder.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { Notes } from "./notes.mjs";

const examples = JSON.parse(await readFile(new URL("notes.json", import.meta.url), "utf8"));

test("every word of a query has to occur, in title, text or tags", () => {
  const notes = new Notes();
  for (const note of examples) notes.add(note);
  assert.deepEqual(notes.list({ query: "KITCHEN degrees" }).map((n) => n.title), ["Bread, second try", "Pour-over ratio"]);
  assert.deepEqual(notes.list({ tag: "bicycle" }).map((n) => n.title), ["Bicycle chain"]);
  assert.equal(notes.list({ limit: 2 }).length, 2);
});

test("notes that are wrong or too many are refused with a status", () => {
  const notes = new Notes(1);
  assert.throws(() => notes.add({ title: "", text: "x" }), { status: 422 });
  assert.throws(() => notes.add({ title: "x", text: "y", tags: ["two words"] }), { status: 422 });
  notes.add({ title: "only", text: "one" });
  assert.throws(() => notes.add({ title: "x", text: "y" }), { status: 507 });
  assert.throws(() => notes.get(2), { status: 404 });
});

test("the server keeps notes over HTTP and ends when it is asked to", async () => {
  const server = spawn(process.execPath, [new URL("server.mjs", import.meta.url).pathname], {
    env: { ...process.env, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    let port;
    const lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]();
    port = /listening on (\d+)/.exec((await lines.next()).value)[1];
    const url = `http://127.0.0.1:${port}`;
    const post = (value) => fetch(url, { method: "POST", body: JSON.stringify(value), headers: { "ce-id": "call-1" } });

    const added = await post(examples);
    assert.equal(added.status, 201);
    assert.equal((await added.json()).length, examples.length);
    assert.equal(JSON.parse((await lines.next()).value).invocation_id, "call-1");

    const found = await (await fetch(`${url}/?q=hydration`)).json();
    assert.deepEqual(found.map((note) => note.id), [2]);
    assert.equal((await fetch(`${url}/2`, { method: "DELETE" })).status, 204);
    assert.equal((await fetch(`${url}/2`)).status, 404);
    assert.equal((await fetch(url, { method: "POST", body: "no json" })).status, 400);
    assert.equal((await fetch(`${url}/`, { method: "PUT" })).status, 405);
    assert.deepEqual(await (await fetch(`${url}/healthz`)).json(), { status: "ok", notes: 4 });

    const exited = once(server, "exit");
    server.kill("SIGTERM");
    assert.deepEqual(await exited, [0, null]);
  } finally {
    server.kill("SIGKILL");
  }
});
