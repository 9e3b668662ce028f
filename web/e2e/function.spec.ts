import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { stage } from "./harness/stage.ts";

const { server, visit } = stage();

const tab = (page: Page, name: string) =>
    page.getByRole("navigation", { name: "Function" }).getByRole("link", { name, exact: true });
const answer = (page: Page) => page.getByRole("region", { name: "Answer", exact: true }).first();

test("state, calls and versions are told in words, and go on without a reload", async () => {
    await server.applyShell("told", "cat; echo done >&2");
    const { page } = await visit();
    await page.goto("/n/default/functions/told");
    await page.getByText("It is ready: calls run at once.").waitFor();
    await page.getByText("CommandFound").waitFor();
    await page.getByText("It was not called yet").waitFor();
    const id = await server.invoke("told", "x");
    await server.ended(id);
    await page.getByRole("row", { name: /Succeeded/ }).waitFor();
    await page.getByRole("link", { name: id.slice(-12) }).waitFor();
    await tab(page, "Logs").click();
    await page.getByText("done").first().waitFor();
    await tab(page, "YAML").click();
    await page.getByRole("region", { name: "YAML" }).getByText("kind: Function").waitFor();
});

test("a copy that crashes says why", async () => {
    await server.apply({
        name: "crashing",
        runtime: "process",
        mode: "http",
        port: 8080,
        replicas: 1,
        command: ["/bin/sh", "-c", "echo cannot read the moon >&2; exit 7"],
    });
    const { page } = await visit();
    await page.goto("/n/default/functions/crashing");
    const copies = page.getByRole("region", { name: /^Warm copies: 0 of 1/ });
    await copies
        .getByText(/exited with code 7.*cannot read the moon/)
        .first()
        .waitFor({ timeout: 40_000 });
    await page
        .getByText(/CrashLoop|Crashed/)
        .first()
        .waitFor({ timeout: 40_000 });
});

test("pausing refuses calls and says so; resuming takes them again", async () => {
    await server.applyShell("paused", "echo hi");
    const { page } = await visit();
    await page.goto("/n/default/functions/paused/invoke");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("paused is paused.").waitFor();
    await page.getByRole("button", { name: "Invoke", exact: true }).click();
    await answer(page).getByText("The function is paused").waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    await page.getByRole("button", { name: "Invoke", exact: true }).click();
    await answer(page).getByText("hi", { exact: true }).waitFor();
});

test("versions are compared and rolled back to", async () => {
    await server.applyShell("versioned", "echo old");
    await server.applyShell("versioned", "echo new");
    const { page } = await visit();
    await page.goto("/n/default/functions/versioned/versions");
    await page.getByRole("button", { name: "Compare" }).first().click();
    const diff = page.getByRole("region", { name: "What differs from version 1 to version 2" });
    await expect.poll(() => diff.textContent()).toMatch(/removed: .*echo old.*added: .*echo new/s);
    await page.getByRole("button", { name: "Roll back" }).click();
    const dialog = page.getByRole("dialog", { name: "Roll back to version 1?" });
    await dialog.getByRole("button", { name: "Roll back" }).click();
    await page
        .getByRole("listitem")
        .filter({ hasText: /^v3Current/ })
        .waitFor();
    expect(JSON.stringify(await server.rest("GET", "/v1/functions/versioned"))).toContain("echo old");
});

test("metrics count what was called, and can be read by keyboard", async () => {
    await server.applyShell("measured", 'read -r line; [ "$line" != bad ]');
    for (const payload of ["a", "b", "bad"])
        await server.ended(await server.invoke("measured", `${payload}\n`));
    const { page } = await visit();
    await page.goto("/n/default/functions/measured/metrics");
    await page.getByRole("heading", { name: "Calls: 3 calls, 1 failed" }).waitFor();
    const chart = page.getByRole("img", { name: /^Calls over time/ });
    await chart.focus();
    await page.keyboard.press("ArrowLeft");
    await page.getByText(/: failed \d+, cancelled 0, succeeded \d+/).waitFor();
});

test("figures and charts go on while calls keep coming", async () => {
    await server.applyShell("busy", "true");
    await server.ended(await server.invoke("busy"));
    const { page } = await visit();
    await page.goto("/n/default/functions/busy/metrics");
    await page.getByRole("heading", { name: "Calls: 1 call, 0 failed" }).waitFor();
    const calls = page.getByRole("heading", { name: /^Calls: \d+ calls, 0 failed/ });
    // Without a pause: what waits for a rest would wait for ever.
    let done = false;
    const caller = (async () => {
        while (!done) await server.ended(await server.invoke("busy"));
    })();
    await calls.waitFor({ timeout: 30_000 });
    const first = await calls.textContent();
    await expect.poll(() => calls.textContent(), { timeout: 30_000 }).not.toBe(first);
    done = true;
    await caller;
});

test("deleting asks for the name, and the page then says that it is gone", async () => {
    await server.applyShell("doomed", "true");
    const { page } = await visit();
    await page.goto("/n/default/functions/doomed");
    await page.getByRole("button", { name: "Delete" }).click();
    const dialog = page.getByRole("dialog", { name: "Delete doomed?" });
    await dialog.getByRole("button", { name: "Delete" }).click({ force: true });
    await dialog.getByLabel("Type doomed to confirm").press("Enter");
    expect(await server.rest("GET", "/v1/functions/doomed"), "not without the name").toMatchObject({
        name: "doomed",
    });
    await dialog.getByLabel("Type doomed to confirm").fill("doomed");
    await dialog.getByRole("button", { name: "Delete" }).click();
    await page.getByRole("heading", { name: "Functions", exact: true }).waitFor();
    await page.goto("/n/default/functions/doomed");
    await page.getByRole("heading", { name: "There is no function doomed in default" }).waitFor();
});
