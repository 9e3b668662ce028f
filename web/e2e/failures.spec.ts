import { readFileSync, writeFileSync } from "node:fs";

import { beforeAll, expect, test } from "vitest";

import { picture } from "./harness/browser.ts";
import { settled } from "./harness/checks.ts";
import { stage } from "./harness/stage.ts";

const { server, visit } = stage();

beforeAll(async () => {
    await server.applyShell("plain", "cat");
});

const OLD = "Connection lost: this is how it was.";

test("streams go on by themselves when the server was killed and is back", async () => {
    const { page } = await visit();
    await page.goto("/n/default/functions");
    await page.getByRole("link", { name: "plain" }).first().waitFor();
    await page.getByText("Live", { exact: true }).first().waitFor();
    await server.kill();
    await page.getByText(OLD).first().waitFor();
    await page.getByRole("link", { name: "plain" }).first().waitFor();
    await picture(page, "disconnected");
    await server.comeBack();
    await server.applyShell("born-later", "cat");
    // Nobody touches the page.
    await page.getByRole("link", { name: "born-later" }).first().waitFor();
    await page.getByText(OLD).first().waitFor({ state: "hidden" });
});

test("the log of a running call goes on behind the last line when the server was killed and is back", async () => {
    const gate = server.file("lines");
    const script = `echo before; while [ ! -e ${gate} ]; do sleep 0.05; done; echo after`;
    await server.applyShell("talks", script, { timeout: "80s", retry: { maxAttempts: 3 } });
    const id = await server.invoke("talks");
    const { page } = await visit();
    await page.goto(`/n/default/invocations/${id}`);
    const log = page.getByRole("region", { name: /log/i }).last();
    await log.getByText("before").first().waitFor();
    await server.kill();
    writeFileSync(gate, "");
    await server.comeBack();
    // Its attempt was lost with the server: another one prints both lines.
    await log.getByText("after").first().waitFor({ timeout: 60_000 });
    await page.getByText("Succeeded", { exact: true }).first().waitFor();
    await expect.poll(() => log.getByText("after").count()).toBe(1);
});

test("a session that expires leads to the login and back to where one was", async () => {
    const { page } = await visit({ lifetimeMs: 6_000 });
    await page.goto("/n/default/functions/plain/versions");
    await page.getByRole("heading", { level: 1, name: "plain" }).waitFor();
    await page.getByRole("button", { name: "Get Dev Token & Login" }).waitFor();
    expect(await page.evaluate(() => sessionStorage.getItem("eventflow.session"))).toBeNull();
    expect(new URL(page.url()).pathname).toBe("/login");
    await page.getByRole("button", { name: "Get Dev Token & Login" }).click();
    await page.getByRole("heading", { level: 1, name: "plain" }).waitFor();
    expect(new URL(page.url()).pathname).toBe("/n/default/functions/plain/versions");
});

test("a token that the server refuses leads to the login too, and a wrong password is told", async () => {
    const { page } = await visit({ loggedIn: false });
    await page.goto("/login");
    await page.getByLabel("Username").fill("admin");
    await page.getByLabel("Password", { exact: true }).fill("wrong");
    await page.getByRole("button", { name: /^Log in/ }).click();
    await page.getByRole("alert").waitFor();
    await page.evaluate((expiresAt) => {
        const session = { token: "not.a.token", username: "admin", expiresAt };
        sessionStorage.setItem("eventflow.session", JSON.stringify(session));
    }, Date.now() + 3_600_000);
    await page.goto("/n/default/functions");
    await page.getByRole("button", { name: "Get Dev Token & Login" }).waitFor();
});

const EVIL = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(2)>",
    '"><svg onload=alert(3)>',
    "javascript:alert(4)",
];

test("what functions and callers wrote is text everywhere, and never code", async () => {
    const evil = EVIL.join(" ");
    // Names cannot hold it; everything else can.
    await expect(server.applyShell("<b>x</b>", "cat")).rejects.toThrow(/400/);
    await server.applyShell("evil", 'cat; printf "%s\\n" "$EVIL" >&2; printf "\\033[31mred\\033[0m\\n" >&2', {
        env: { EVIL: evil },
        labels: { evil: "x" },
    });
    await server.applyShell("evil-fails", 'printf "%s" "$EVIL" >&2; exit 1', { env: { EVIL: evil } });
    const html = await server.invoke("evil", `<html><body>${evil}</body></html>`, "text/html");
    const svg = await server.invoke(
        "evil",
        `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(5)"><script>alert(6)</script></svg>`,
        "image/svg+xml",
    );
    const failed = await server.invoke("evil-fails", evil, evil.slice(0, 20));
    for (const id of [html, svg, failed]) await server.ended(id);
    const { page } = await visit();
    for (const path of [
        `/n/default/invocations/${html}`,
        `/n/default/invocations/${svg}`,
        `/n/default/invocations/${failed}`,
        "/n/default/functions/evil",
        "/n/default/functions/evil/yaml",
        "/n/default/functions/evil/edit",
        "/n/default/functions/evil/logs",
        "/n/default/invocations",
        "/n/default/dead-letters",
        "/n/default/logs",
        `/n/default/functions/${encodeURIComponent(EVIL[1] ?? "")}`,
        `/n/default/invocations?caller=${encodeURIComponent(evil)}`,
        `/n/${encodeURIComponent(EVIL[0] ?? "")}/functions`,
        `/login?next=${encodeURIComponent("javascript:alert(7)")}`,
        "/login?next=//evil.example",
    ]) {
        await page.goto(path);
        await settled(page);
        const scripts = await page.evaluate(() => document.querySelectorAll("body script").length);
        expect(scripts, path).toBe(0);
    }
    await page.goto(`/n/default/invocations/${html}`);
    const log = page.getByRole("region", { name: /log/i }).last();
    await log
        .getByText(EVIL[0] ?? "")
        .first()
        .waitFor();
    await picture(page, "hostile-content");
    expect(new URL(page.url()).origin).toBe(server.url);
});

test("a result is downloaded with the token in a header and never in an address", async () => {
    const bytes = Buffer.from(Array.from({ length: 4096 }, (_, at) => at % 256));
    await server.applyShell("binary", `cat ${server.file("blob")}`);
    writeFileSync(server.file("blob"), bytes);
    const id = await server.invoke("binary");
    await server.ended(id);
    const { page } = await visit();
    const addresses: string[] = [];
    page.on("request", (request) => addresses.push(request.url()));
    await page.goto(`/n/default/invocations/${id}`);
    const [download] = await Promise.all([
        page.waitForEvent("download"),
        page
            .getByRole("button", { name: /download/i })
            .first()
            .click(),
    ]);
    expect(readFileSync(await download.path())).toEqual(bytes);
    expect(addresses.filter((address) => address.includes(server.token))).toEqual([]);
});
