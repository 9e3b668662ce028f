import { afterAll, beforeAll, expect, test } from "vitest";

import { Proxy } from "./harness/proxy.ts";
import { stage } from "./harness/stage.ts";

/** Proxies end answers that say nothing for 30 to 60 s. The server speaks every 15 s, later on a machine at its limit. */
const PATIENCE_MS = 30_000;
const STREAMS = ["WatchFunctions", "WatchStats", "WatchInvocations", "StreamInvocationLogs", "StreamLogs"];

const { server, visit } = stage();

let proxy: Proxy;
beforeAll(async () => {
    proxy = await Proxy.start(server, PATIENCE_MS);
});
afterAll(() => proxy.stop());

test("streams say something before a proxy takes their silence for their end", async () => {
    await server.applyShell("quiet", "echo up; sleep 600", { timeout: "20m" });
    const id = await server.invoke("quiet");
    const pages = [`/n/default/invocations/${id}`, "/n/default/functions/quiet/logs"].map(async (path) => {
        const { page } = await visit({ url: proxy.url });
        await page.goto(path);
        await page.getByText("up", { exact: true }).waitFor();
        return page;
    });
    const opened = await Promise.all(pages);
    const streams = () => proxy.calls.filter(({ name, ended }) => STREAMS.includes(name) && !ended);
    await expect.poll(() => new Set(streams().map(({ name }) => name)).size).toBe(STREAMS.length);
    const before = streams().map((stream) => ({ stream, pieces: stream.pieces }));
    // Each has been silent twice, and said so.
    const silent = () =>
        before.filter(({ stream, pieces }) => stream.pieces < pieces + 2).map(({ stream }) => stream);
    await expect.poll(silent, { timeout: 120_000, interval: 500 }).toEqual([]);
    expect(proxy.silent).toBe(0);
    expect(streams().length, "none was opened again").toBe(before.length);
    for (const page of opened) expect(await page.getByText("Connection lost").count()).toBe(0);
});
