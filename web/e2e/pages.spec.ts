import { beforeAll, expect, test } from "vitest";

import { DESKTOP, FOUR_K, PHONE, picture } from "./harness/browser.ts";
import { accessibility, settled, sticksOut, theme } from "./harness/checks.ts";
import { stage } from "./harness/stage.ts";

const ids: Record<string, string> = {};

/** What a team has after a day: functions that do well and badly, calls of all kinds, a dead letter. */
async function furnish(): Promise<void> {
    await server.applyShell("resize", 'cat; echo "resized" >&2', { retry: { maxAttempts: 2 } });
    await server.applyShell("resize", 'cat; echo "resized in $SIZE" >&2', { env: { SIZE: "large" } });
    await server.applyShell("mailer", "echo 'no such host: smtp' >&2; exit 4");
    await server.applyShell("charge-card", "sleep 30", { timeout: "1s" });
    await server.applyShell("nightly-report-of-every-tenant-and-invoice", "sleep 1200", { timeout: "20m" });
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
    for (let call = 0; call < 2; call += 1)
        ids["late"] = await server.invoke("charge-card", payload, "application/json");
    ids["running"] = await server.invoke("nightly-report-of-every-tenant-and-invoice");
    for (const name of ["ok", "failed", "late"]) await server.ended(ids[name] ?? "");
}

const { server, visit } = stage();

beforeAll(async () => {
    await furnish();
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

test.each(PAGES)(
    "%s is accessible in both themes, fits a phone and fills a 4K screen",
    async (name, path) => {
        const { page } = await visit({ viewport: FOUR_K });
        await page.goto(path());
        await settled(page);
        expect(await sticksOut(page), "on a 4K screen").toEqual([]);
        await page.setViewportSize(DESKTOP);
        await picture(page, name);
        expect(await accessibility(page), "dark, on a desk").toEqual([]);
        await expect.poll(() => page.getByRole("heading", { level: 1 }).count()).toBe(1);
        expect(await page.title()).toMatch(/EventFlow/);
        expect(await sticksOut(page)).toEqual([]);
        await page.setViewportSize(PHONE);
        if (PICTURED_ON_A_PHONE.has(name)) await picture(page, `phone-${name}`);
        expect(await sticksOut(page), "on a phone").toEqual([]);
        await theme(page, "light");
        expect(await accessibility(page), "light, on a phone").toEqual([]);
    },
);

/** Every dialog: the page that opens it, and the button that does. */
const DIALOGS: [string, () => string, string | RegExp][] = [
    ["delete a function", () => "/n/default/functions/resize", "Delete"],
    ["roll back", () => "/n/default/functions/resize/versions", "Roll back"],
    ["review a change", () => "/n/default/functions/resize/edit", "Review and save"],
    ["replay a call", () => `/n/default/invocations/${ids["ok"] ?? ""}`, "Replay"],
    ["commands of a call", () => `/n/default/invocations/${ids["ok"] ?? ""}`, "Commands"],
    ["cancel a call", () => `/n/default/invocations/${ids["running"] ?? ""}`, "Cancel"],
    ["cancel calls", () => "/n/default/invocations", "Cancel …"],
    ["replay calls", () => "/n/default/invocations", "Replay …"],
    ["keep a filter", () => "/n/default/invocations?state=failed", "Keep this filter"],
    ["redrive dead letters", () => "/n/default/dead-letters", "Redrive all …"],
    ["discard dead letters", () => "/n/default/dead-letters", "Discard all …"],
];

test.each(DIALOGS)(
    "the dialog to %s is accessible, fits a phone, and gives the focus back",
    async (_, path, name) => {
        const { page } = await visit();
        await page.goto(path());
        await settled(page);
        const button = page.getByRole("button", { name, exact: true }).first();
        await button.focus();
        await page.keyboard.press("Enter");
        const dialog = page.getByRole("dialog");
        await dialog.waitFor();
        await settled(page);
        expect(await accessibility(page), "dark, on a desk").toEqual([]);
        await page.setViewportSize(PHONE);
        await theme(page, "light");
        expect(await sticksOut(page), "on a phone").toEqual([]);
        expect(await accessibility(page), "light, on a phone").toEqual([]);
        await page.keyboard.press("Escape");
        await dialog.waitFor({ state: "hidden" });
        expect(await button.evaluate((element) => element === document.activeElement)).toBe(true);
    },
);

test("the theme that was chosen is remembered", async () => {
    const { page } = await visit();
    await page.goto("/n/default/functions");
    await settled(page);
    const shown = () => page.evaluate(() => document.documentElement.dataset["theme"]);
    await page.getByRole("button", { name: "Switch to light" }).click();
    expect(await shown()).toBe("light");
    await page.reload();
    await settled(page);
    expect(await shown()).toBe("light");
    await picture(page, "dashboard-light");
    await page.getByRole("button", { name: "Switch to dark" }).click();
    expect(await shown()).toBe("dark");
});

test("by keyboard alone one finds a function, opens it and sees where one is", async () => {
    const { page } = await visit();
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
});
