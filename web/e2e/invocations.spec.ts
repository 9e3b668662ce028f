import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";

import { accessibility, settled } from "./harness/checks.ts";
import { stage } from "./harness/stage.ts";

const WIDE = { viewport: { width: 1440, height: 900 } };
/** Fails where its payload says so. */
const PICKY = `read -r word; echo "$word"; [ "$word" != bad ]`;

const { server, visit } = stage();

beforeAll(async () => {
    await server.applyShell("picky", PICKY);
    await server.applyShell("other", "cat");
});

const rows = (page: Page) => page.getByRole("table", { name: "Invocations" }).locator("tbody tr");
const row = (page: Page, id: string) => rows(page).filter({ hasText: id.slice(-12) });

const state = (page: Page, id: string) => row(page, id).locator("td").nth(1);

async function all(name: string, payloads: string[]): Promise<string[]> {
    const ids = [];
    for (const payload of payloads) ids.push(await server.invoke(name, `${payload}\n`));
    for (const id of ids) await server.ended(id);
    return ids;
}

test("calls appear and change by themselves, with cold or warm and their wait", async () => {
    const { page } = await visit(WIDE);
    await page.goto("/n/default/invocations?function=picky");
    await page.getByText("Live", { exact: true }).waitFor();
    const [id = ""] = await all("picky", ["good"]);
    await state(page, id).getByText("Succeeded").waitFor();
    await row(page, id).getByText("cold").waitFor();
    await expect.poll(() => row(page, id).locator("td").nth(7).innerText()).toMatch(/\d (µs|ms|s)/);
    const exact = await row(page, id).locator("time").getAttribute("title");
    expect(exact).toMatch(/20\d\d-\d\d-\d\dT.*Z/);
});

test("the filter is in the address, and the address is the filter", async () => {
    const [good = "", bad = ""] = await all("picky", ["good", "bad"]);
    const [other = ""] = await all("other", ["x"]);
    const { page, context } = await visit(WIDE);
    await page.goto("/n/default/invocations");
    await row(page, other).waitFor();
    await page.getByRole("button", { name: "failed", exact: true }).click();
    await page.waitForURL(/state=failed/);
    await row(page, bad).waitFor();
    await row(page, good).waitFor({ state: "hidden" });
    // A call that comes to fit appears, another does not.
    const [later = "", fine = ""] = await all("picky", ["bad", "good"]);
    await state(page, later).getByText("Failed").waitFor();
    await expect.poll(() => row(page, fine).count()).toBe(0);
    await page.getByLabel("Function", { exact: true }).fill("other");
    await page.keyboard.press("Enter");
    await page.getByText("No call fits this filter").waitFor();
    const address = page.url();
    const second = await context.newPage();
    await second.goto(address);
    await second.getByText("No call fits this filter").waitFor();
    await expect.poll(() => second.getByRole("button", { name: "failed", pressed: true }).count()).toBe(1);
    await second.getByRole("button", { name: "Clear" }).click();
    await row(second, good).waitFor();
    await page.getByRole("link", { name: "Failed in the last hour" }).click();
    await page.waitForURL(/state=failed&since=1h/);
    await row(page, later).waitFor();
    expect(await accessibility(page)).toEqual([]);
});

test("version, caller and time filter too, and stand in the address", async () => {
    await server.applyShell("aged", "echo one");
    const [old = ""] = await all("aged", ["x"]);
    await server.applyShell("aged", "echo two");
    const [young = ""] = await all("aged", ["x"]);
    const { page } = await visit(WIDE);
    await page.goto("/n/default/invocations?function=aged");
    await row(page, old).waitFor();
    await page.getByRole("button", { name: "More filters" }).click();
    await page.getByLabel("Version").fill("2");
    await page.waitForURL(/version=2/);
    await row(page, old).waitFor({ state: "hidden" });
    await row(page, young).waitFor();
    await page.getByLabel("Caller").fill("nobody");
    await page.waitForURL(/caller=nobody/);
    await page.getByText("No call fits this filter").waitFor();
    await page.getByLabel("Caller").fill("admin");
    await page.waitForURL(/caller=admin/);
    await row(page, young).waitFor();
    await page.getByLabel("Accepted").selectOption("between …");
    await page.getByLabel("Before").fill("2020-01-01T00:00");
    await page.waitForURL(/to=/);
    await page.getByText("No call fits this filter").waitFor();
    const second = await page.context().newPage();
    await second.goto(page.url());
    await second.getByText("No call fits this filter").waitFor();
    await expect.poll(() => second.getByLabel("Version").inputValue()).toBe("2");
    await expect.poll(() => second.getByLabel("Before").inputValue()).toBe("2020-01-01T00:00");
});

test("a filter is kept under a name and forgotten again", async () => {
    const { page } = await visit(WIDE);
    await page.goto("/n/default/invocations?function=picky&state=failed");
    await page.getByRole("button", { name: "Keep this filter" }).click();
    await page.getByRole("dialog").getByLabel("Name").fill("mine <b>");
    await page.getByRole("dialog").getByRole("button", { name: "Keep" }).click();
    await page.goto("/n/default/invocations");
    await page.getByRole("link", { name: "mine <b>" }).click();
    await page.waitForURL(/state=failed&function=picky/);
    await page.getByRole("button", { name: "Forget the filter mine <b>" }).click();
    await expect.poll(() => page.getByRole("link", { name: "mine <b>" }).count()).toBe(0);
});

test("older calls are a page further, where nothing moves; new ones are announced", async () => {
    await server.applyShell("many", "true");
    const ids = [];
    for (let call = 0; call < 60; call += 1) ids.push(await server.invoke("many"));
    await server.ended(ids.at(-1) ?? "");
    const { page } = await visit(WIDE);
    await page.goto("/n/default/invocations?function=many&since=1h");
    await row(page, ids[59] ?? "").waitFor();
    await page.getByRole("link", { name: "Older" }).click();
    await row(page, ids[9] ?? "").waitFor();
    await expect.poll(() => rows(page).count()).toBe(10);
    const newest = await server.invoke("many");
    await server.ended(newest);
    await page.getByRole("link", { name: /Newest \(1 new one\)/ }).waitFor();
    await expect.poll(() => rows(page).count()).toBe(10);
    await page.reload();
    await row(page, ids[0] ?? "").waitFor();
    await page.getByRole("link", { name: "Newest" }).click();
    await row(page, newest).waitFor();
});

test("calls are cancelled together, after one was told how many", async () => {
    await server.applyShell("sleeper", "sleep 600", { timeout: "10m", concurrency: 2 });
    const ids = [];
    for (let call = 0; call < 5; call += 1) ids.push(await server.invoke("sleeper"));
    const { page } = await visit(WIDE);
    await page.goto("/n/default/invocations?function=sleeper");
    await row(page, ids[4] ?? "").waitFor();
    await page.getByRole("checkbox", { name: `Call ${ids[4]?.slice(-12) ?? ""}` }).check();
    await page.getByText("1 call ticked").waitFor();
    await page.getByRole("button", { name: "Cancel …" }).click();
    await page.getByRole("dialog").getByText("This is about 1 call.").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel 1 call" }).click();
    await page.getByRole("dialog").getByText("Done: 1 call cancelled.").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
    await state(page, ids[4] ?? "")
        .getByText("Cancelled")
        .waitFor();
    await page.getByRole("button", { name: "Untick" }).click();
    await page.getByRole("button", { name: "Cancel …" }).click();
    await page.getByRole("dialog").getByText("This is about 4 calls.").waitFor();
    expect(await accessibility(page)).toEqual([]);
    await page.getByRole("dialog").getByRole("button", { name: "Cancel 4 calls" }).click();
    await page.getByRole("dialog").getByText("Done: 4 calls cancelled.").waitFor();
    for (const id of ids) expect((await server.ended(id))["state"]).toBe("CANCELLED");
});

test("calls are replayed together at a rate, and one sees what becomes of the new ones", async () => {
    await server.applyShell("again", PICKY);
    await all("again", ["good", "bad", "good"]);
    const { page } = await visit(WIDE);
    await page.goto("/n/default/invocations?function=again");
    await settled(page);
    await page.getByRole("button", { name: "Replay …" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("This is about 3 calls.").waitFor();
    await dialog.getByLabel("New calls a second").fill("x");
    await dialog.getByText("The rate is a whole number").waitFor();
    await dialog.getByLabel("New calls a second").fill("2");
    await dialog.getByText("All have started in 2 s.").waitFor();
    await dialog.getByRole("button", { name: "Replay 3 calls" }).click();
    await dialog.getByText("Done: 3 calls replayed.").waitFor();
    const figure = (name: string) => dialog.locator("dl > div").filter({ hasText: name }).locator("dd");
    await figure("succeeded").getByText("2", { exact: true }).waitFor();
    await figure("not well").getByText("1", { exact: true }).waitFor();
    await figure("under way").getByText("0", { exact: true }).waitFor();
    await dialog.getByRole("button", { name: "Close" }).last().click();
    await page.waitForFunction(() => document.querySelectorAll("tbody tr").length === 6);
});
