import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { accessibility } from "./harness/checks.ts";
import { Proxy } from "./harness/proxy.ts";
import { stage } from "./harness/stage.ts";

const { server, visit } = stage();

let proxy: Proxy;
let ended = "";
let running = "";

beforeAll(async () => {
    proxy = await Proxy.start(server);
    await server.applyShell("plain", 'cat; echo "said" >&2');
    await server.applyShell("lasts", "echo up; sleep 600", { timeout: "20m" });
    await server.applyShell("fails", "exit 3");
    ended = await server.invoke("plain", "the payload");
    running = await server.invoke("lasts");
    await server.ended(ended);
    await server.ended(await server.invoke("fails"));
});
afterAll(() => proxy.stop());

type View = {
    name: string;
    path: (namespace: string) => string;
    /** Is there once all is read. */
    content: (page: Page) => Promise<void>;
    /** Said in a namespace with nothing in it; undefined: the view is always of something. */
    empty?: string;
};

const text = (words: string | RegExp) => async (page: Page) =>
    page.getByRole("main").getByText(words).first().waitFor();
const row = (name: RegExp) => async (page: Page) => page.getByRole("row", { name }).first().waitFor();
const tab = (name: string) => (namespace: string) => `/n/${namespace}/functions/plain${name}`;

const VIEWS: View[] = [
    {
        name: "functions",
        path: (namespace) => `/n/${namespace}/functions`,
        content: row(/^plain /),
        empty: "No functions yet",
    },
    { name: "a function", path: tab(""), content: row(/Succeeded/) },
    { name: "its calls", path: tab("/invocations"), content: row(/Succeeded/) },
    { name: "its log", path: tab("/logs"), content: text("said") },
    { name: "its metrics", path: tab("/metrics"), content: text("Calls: 1 call, 0 failed") },
    { name: "its versions", path: tab("/versions"), content: text("Current") },
    { name: "its YAML", path: tab("/yaml"), content: text("kind: Function") },
    { name: "its editor", path: tab("/edit"), content: text("Review and save") },
    {
        name: "calls",
        path: (namespace) => `/n/${namespace}/invocations`,
        content: row(/Succeeded/),
        empty: "Nothing was called yet",
    },
    {
        name: "a call",
        path: (namespace) => `/n/${namespace}/invocations/${running}`,
        content: text("Not there yet."),
    },
    {
        name: "dead letters",
        path: (namespace) => `/n/${namespace}/dead-letters`,
        content: text("exited with code 3"),
        empty: "No dead letters",
    },
    {
        name: "logs",
        path: (namespace) => `/n/${namespace}/logs`,
        content: text("said"),
        empty: "Nothing was printed lately: lines appear here as they come.",
    },
];

test("while the server has not answered yet, each view says that it loads", async () => {
    const { page } = await visit({ url: proxy.url });
    for (const { name, path, content } of VIEWS) {
        proxy.hold();
        await page.goto(path("default"));
        await page
            .getByRole("status", { name: /^Loading/ })
            .first()
            .waitFor();
        if (name === "functions") expect(await accessibility(page)).toEqual([]);
        proxy.pass();
        await content(page);
        await page
            .getByRole("status", { name: /^Loading/ })
            .first()
            .waitFor({ state: "hidden" });
    }
});

test("each view that has nothing to show says so, and what would appear there", async () => {
    const { page } = await visit();
    for (const { path, empty } of VIEWS) {
        if (empty === undefined) continue;
        await page.goto(path("empty"));
        await page.getByRole("main").getByText(empty, { exact: true }).waitFor();
    }
    for (const [part, words] of [
        ["", "It was not called yet"],
        ["/logs", "It has not printed anything yet. New lines come in here by themselves."],
        ["/invoke", "Not called yet"],
    ]) {
        await server.applyShell("unused", "true");
        await page.goto(`/n/default/functions/unused${part}`);
        await page
            .getByRole("main")
            .getByText(words ?? "", { exact: true })
            .waitFor();
    }
});

test("who may not look into a namespace is told so by each view", async () => {
    const stranger = server.sessionOf("ada", [{ namespace: "elsewhere", role: "developer" }]);
    const { page } = await visit({ loggedIn: stranger });
    for (const { name, path } of VIEWS) {
        await page.goto(path("default"));
        await page
            .getByRole("alert")
            .getByText(/^(Your role does not allow this|No such function|No such invocation)\b/)
            .first()
            .waitFor();
        if (name === "functions") expect(await accessibility(page)).toEqual([]);
    }
});

test("who may only look is told why buttons do nothing", async () => {
    const { page } = await visit({
        loggedIn: server.sessionOf("eve", [{ namespace: "default", role: "viewer" }]),
    });
    const why = async (name: string) => {
        const button = page.getByRole("button", { name, exact: true }).first();
        await expect.poll(async () => button.getAttribute("title")).toMatch(/^This needs the role /);
        expect(await button.getAttribute("aria-disabled")).toBe("true");
    };
    await page.goto("/n/default/functions");
    await why("Create Function");
    await page.goto("/n/default/functions/plain/invoke");
    for (const name of ["Edit", "Pause", "Delete", "Invoke"]) await why(name);
    await page.goto(`/n/default/invocations/${ended}`);
    await why("Replay");
    await page.goto(`/n/default/invocations/${running}`);
    await why("Cancel");
    await page.goto("/n/default/invocations");
    for (const name of ["Cancel …", "Replay …"]) await why(name);
    await page.goto("/n/default/dead-letters");
    for (const name of ["Redrive all …", "Discard all …", "Redrive …", "Discard …"]) await why(name);
});

test("when the connection is lost each view keeps what it shows, says so, and goes on by itself", async () => {
    const { page } = await visit({ url: proxy.url });
    const lost = page.getByText(/^Connection lost: this is how it was/).first();
    for (const { name, path, content } of VIEWS) {
        await page.goto(path("default"));
        await content(page);
        proxy.cut();
        await lost.waitFor();
        await content(page);
        if (name === "functions") expect(await accessibility(page)).toEqual([]);
        proxy.pass();
        await lost.waitFor({ state: "hidden" });
        await content(page);
    }
});

test("a page that is opened while the server is down says so, and comes by itself", async () => {
    const { page } = await visit({ url: proxy.url });
    for (const path of ["/n/default/functions", `/n/default/invocations/${ended}`]) {
        proxy.cut();
        await page.goto(path);
        await page.getByRole("alert").getByText("EventFlow cannot be reached").waitFor();
        proxy.pass();
        await page
            .getByText(/^(plain|Succeeded)$/)
            .first()
            .waitFor();
    }
});
