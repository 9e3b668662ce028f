import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { DESKTOP, launch, PHONE, picture, visit } from "./harness/browser.ts";
import { accessibility, settled, sticksOut } from "./harness/checks.ts";
import { Server } from "./harness/server.ts";

let server: Server;
let browser: Browser;
const ids: Record<string, string> = {};

/** What a team has after a day: functions that do well and badly, calls of all kinds, a dead letter. */
async function furnish(): Promise<void> {
    await server.applyShell("resize", 'cat; echo "resized" >&2', { retry: { maxAttempts: 2 } });
    await server.applyShell("resize", 'cat; echo "resized in $SIZE" >&2', { env: { SIZE: "large" } });
    await server.applyShell("mailer", "echo 'no such host: smtp' >&2; exit 4");
    await server.applyShell("nightly-report-of-every-tenant-and-invoice", "sleep 60", { timeout: "10m" });
    await server.applyShell("retired", "cat");
    await server.rest("POST", "/v1/functions/retired:pause", {});
    await server.apply({
        name: "crashes",
        runtime: "process",
        mode: "http",
        port: 8080,
        replicas: 1,
        command: ["/bin/sh", "-c", "echo 'cannot open the database'; exit 7"],
    });
    const payload = JSON.stringify({ image: "cat.png", sizes: [64, 256], note: "café" });
    for (let call = 0; call < 12; call += 1)
        ids["ok"] = await server.invoke("resize", payload, "application/json");
    for (let call = 0; call < 3; call += 1)
        ids["failed"] = await server.invoke("mailer", payload, "application/json");
    ids["running"] = await server.invoke("nightly-report-of-every-tenant-and-invoice");
    for (const name of ["ok", "failed"]) await server.ended(ids[name] ?? "");
}

beforeAll(async () => {
    [server, browser] = await Promise.all([Server.start(), launch()]);
    await furnish();
});
afterAll(async () => {
    await browser.close();
    await server.stop();
});

/** Every page, by the name of its picture. */
const PAGES: [string, () => string][] = [
    ["dashboard", () => "/n/default/functions"],
    ["function-new", () => "/n/default/new-function"],
    ["function-overview", () => "/n/default/functions/resize"],
    ["function-crashing", () => "/n/default/functions/crashes"],
    ["function-invoke", () => "/n/default/functions/resize/invoke"],
    ["function-invocations", () => "/n/default/functions/resize/invocations"],
    ["function-logs", () => "/n/default/functions/resize/logs"],
    ["function-metrics", () => "/n/default/functions/resize/metrics"],
    ["function-versions", () => "/n/default/functions/resize/versions"],
    ["function-yaml", () => "/n/default/functions/resize/yaml"],
    ["function-edit", () => "/n/default/functions/resize/edit"],
    ["invocations", () => "/n/default/invocations"],
    ["invocation-succeeded", () => `/n/default/invocations/${ids["ok"] ?? ""}`],
    ["invocation-dead", () => `/n/default/invocations/${ids["failed"] ?? ""}`],
    ["invocation-running", () => `/n/default/invocations/${ids["running"] ?? ""}`],
    ["dead-letters", () => "/n/default/dead-letters"],
    ["logs", () => "/n/default/logs"],
    ["not-found", () => "/n/default/nowhere"],
];

const PICTURED_ON_A_PHONE = new Set(["dashboard", "function-overview", "invocation-dead"]);

test.each(PAGES)("%s is accessible, keeps to its policy, and fits a phone", async (name, path) => {
    const { page, context, troubles } = await visit(browser, server, { viewport: DESKTOP });
    await page.goto(path());
    await settled(page);
    await picture(page, name);
    expect(await accessibility(page)).toEqual([]);
    expect(await page.getByRole("heading", { level: 1 }).count()).toBe(1);
    expect(await page.title()).toMatch(/EventFlow/);
    expect(await sticksOut(page)).toEqual([]);
    await page.setViewportSize(PHONE);
    await settled(page);
    if (PICTURED_ON_A_PHONE.has(name)) await picture(page, `phone-${name}`);
    expect(await sticksOut(page), "on a phone").toEqual([]);
    expect(troubles.found).toEqual([]);
    await context.close();
});

test("the light theme is accessible too, and is remembered", async () => {
    const { page, context } = await visit(browser, server);
    await page.goto("/n/default/functions");
    await settled(page);
    await page
        .getByRole("button", { name: /light|theme/i })
        .first()
        .click();
    expect(await page.evaluate(() => document.documentElement.dataset["theme"])).toBe("light");
    await page.reload();
    await settled(page);
    expect(await page.evaluate(() => document.documentElement.dataset["theme"])).toBe("light");
    await picture(page, "dashboard-light");
    for (const path of ["/n/default/functions", "/n/default/functions/resize", "/n/default/invocations"]) {
        await page.goto(path);
        await settled(page);
        expect(await accessibility(page), path).toEqual([]);
    }
    await context.close();
});

test("every page fills a 4K screen without breaking", async () => {
    const { page, context } = await visit(browser, server, { viewport: { width: 3840, height: 2160 } });
    await page.goto("/n/default/functions");
    await settled(page);
    expect(await sticksOut(page)).toEqual([]);
    await picture(page, "dashboard-4k");
    await context.close();
});

test("by keyboard alone one finds a function, opens it and sees where one is", async () => {
    const { page, context } = await visit(browser, server);
    await page.goto("/n/default/functions");
    await settled(page);
    await page.keyboard.press("Tab");
    const first = await page.evaluate(() => document.activeElement?.textContent ?? "");
    expect(first).toBe("To the content");
    const link = page.getByRole("link", { name: "resize", exact: true }).first();
    for (let presses = 0; presses < 60; presses += 1) {
        if (await link.evaluate((element) => element === document.activeElement)) break;
        await page.keyboard.press("Tab");
    }
    expect(await link.evaluate((element) => element === document.activeElement)).toBe(true);
    const outline = await link.evaluate((element) => getComputedStyle(element).outlineStyle);
    expect(outline).not.toBe("none");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "resize" }).waitFor();
    // A dialog takes the focus, keeps it, and gives it back.
    const remove = page.getByRole("button", { name: "Delete" });
    await remove.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    for (let presses = 0; presses < 8; presses += 1) {
        const inside = await page.evaluate(
            // The body: the focus is in the browser's own bar, which a modal dialog leaves reachable.
            () =>
                document.activeElement === document.body ||
                document.activeElement?.closest("dialog, [role=dialog]") !== null,
        );
        expect(inside).toBe(true);
        await page.keyboard.press("Tab");
    }
    await page.getByRole("dialog").getByRole("button").first().focus();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    expect(await remove.evaluate((element) => element === document.activeElement)).toBe(true);
    await context.close();
});
