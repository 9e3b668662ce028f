import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { launch, visit } from "./harness/browser.ts";
import { accessibility } from "./harness/checks.ts";
import { Server } from "./harness/server.ts";

let server: Server;
let browser: Browser;
beforeAll(async () => {
    server = await Server.start();
    browser = await launch();
});
afterAll(async () => {
    await browser.close();
    await server.stop();
});

test("a server that is killed leaves what was shown, says so, and the page goes on by itself when it is back", async () => {
    await server.applyShell("before", "true");
    const { page, context, troubles } = await visit(browser, server);
    await page.goto("/n/default/functions");
    await page.getByRole("row", { name: /^before / }).waitFor();
    await page.getByRole("main").getByText("Live", { exact: true }).waitFor();

    await server.kill();
    await page.getByText(/^Connection lost: this is how it was/).waitFor();
    expect(await page.getByRole("row", { name: /^before / }).isVisible(), "old rows stay").toBe(true);
    expect(await accessibility(page)).toEqual([]);

    await server.comeBack();
    await page.getByRole("main").getByText("Live", { exact: true }).waitFor({ timeout: 40_000 });
    await server.applyShell("after", "true");
    await page.getByRole("row", { name: /^after / }).waitFor();
    expect(troubles.found).toEqual([]);
    await context.close();
});

test("what was deleted while the connection was lost is gone afterwards", async () => {
    await server.applyShell("leaves", "true");
    const { page, context } = await visit(browser, server);
    await page.goto("/n/default/functions");
    await page.getByRole("row", { name: /^leaves / }).waitFor();
    await context.setOffline(true);
    // A stream that is open already does not end by that: the server does.
    await server.kill();
    await server.comeBack();
    await server.rest("DELETE", "/v1/functions/leaves");
    await page.getByText(/^Connection lost/).waitFor();
    await context.setOffline(false);
    await expect
        .poll(async () => page.getByRole("row", { name: /^leaves / }).count(), { timeout: 30_000 })
        .toBe(0);
    await context.close();
});

test("without a server the login says that it cannot be reached, in words", async () => {
    const { page, context } = await visit(browser, server, { loggedIn: false });
    await page.goto("/login");
    await page.getByLabel("Username").fill("admin");
    await page.getByLabel("Password").fill("admin");
    await server.kill();
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("alert").getByText("EventFlow cannot be reached").waitFor();
    await server.comeBack();
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("heading", { name: "Functions", exact: true }).waitFor();
    await context.close();
});
