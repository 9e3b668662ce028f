import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { launch, visit } from "./harness/browser.ts";
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

const tab = (page: Page, name: string) =>
    page.getByRole("navigation", { name: "Function" }).getByRole("link", { name, exact: true });
const answer = (page: Page) => page.getByRole("region", { name: "Answer", exact: true }).first();

test("state, calls and versions are told in words, and go on without a reload", async () => {
    await server.applyShell("told", "cat; echo done >&2");
    const { page, context, troubles } = await visit(browser, server);
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
    expect(troubles.found).toEqual([]);
    await context.close();
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
    const { page, context } = await visit(browser, server);
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
    await context.close();
});

test("pausing refuses calls and says so; resuming takes them again", async () => {
    await server.applyShell("paused", "echo hi");
    const { page, context } = await visit(browser, server);
    await page.goto("/n/default/functions/paused/invoke");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByText("paused is paused.").waitFor();
    await page.getByRole("button", { name: "Invoke", exact: true }).click();
    await answer(page).getByText("The function is paused").waitFor();
    await page.getByRole("button", { name: "Resume" }).click();
    await page.getByRole("button", { name: "Pause" }).waitFor();
    await page.getByRole("button", { name: "Invoke", exact: true }).click();
    await answer(page).getByText("hi", { exact: true }).waitFor();
    await context.close();
});

test("invoke: the answer, a failure with its reason, async, the past payloads and the commands", async () => {
    await server.applyShell("called", 'input=$(cat); [ "$input" = bad ] && exit 3; printf "got %s" "$input"');
    const { page, context, troubles } = await visit(browser, server);
    await page.goto("/n/default/functions/called/invoke");
    const invoke = page.getByRole("button", { name: "Invoke", exact: true });

    await page.getByRole("button", { name: "Text" }).click();
    await page.getByLabel("Payload", { exact: true }).fill("first one");
    await invoke.click();
    await answer(page).getByText("got first one").waitFor();

    await page.getByLabel("Payload", { exact: true }).fill("bad");
    await invoke.click();
    await answer(page).getByText("ExitCode").first().waitFor();
    await answer(page).getByRole("link", { name: "Open the record" }).waitFor();

    await page.getByRole("radio", { name: "Only accept it (async)" }).check();
    await invoke.click();
    await answer(page).getByText("Accepted").waitFor();

    await page.getByRole("button", { name: "Past payloads" }).click();
    await page
        .getByRole("list", { name: "Past payloads" })
        .getByRole("button", { name: /first one/ })
        .click();
    expect(await page.getByLabel("Payload", { exact: true }).inputValue()).toBe("first one");

    await page.getByRole("button", { name: "As a command" }).click();
    const curl = await page.getByRole("region", { name: "curl", exact: true }).textContent();
    expect(curl).toContain("--data-binary 'first one'");
    expect(curl).toContain("/v1/namespaces/default/functions/called:invoke");
    expect(await page.getByRole("region", { name: "CLI" }).textContent()).toContain(
        "invoke called --data 'first one'",
    );
    expect(await page.content(), "the token is in no command").not.toContain(server.token);
    expect(troubles.found).toEqual([]);
    await context.close();
});

test("a file goes as it is, and what comes back can be downloaded", async () => {
    await server.applyShell("echoes", "cat");
    const { page, context } = await visit(browser, server);
    await page.goto("/n/default/functions/echoes/invoke");
    await page.getByRole("button", { name: "File" }).click();
    const bytes = Buffer.from([0, 255, 1, 254, 10]);
    await page
        .getByLabel("Payload file")
        .setInputFiles({ name: "x.bin", mimeType: "application/octet-stream", buffer: bytes });
    await page.getByRole("button", { name: "Invoke", exact: true }).click();
    const [download] = await Promise.all([
        page.waitForEvent("download"),
        answer(page).getByRole("button", { name: "Download" }).click(),
    ]);
    const chunks: Buffer[] = [];
    for await (const chunk of await download.createReadStream()) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks)).toEqual(bytes);
    await context.close();
});

test("versions are compared and rolled back to", async () => {
    await server.applyShell("versioned", "echo old");
    await server.applyShell("versioned", "echo new");
    const { page, context } = await visit(browser, server);
    await page.goto("/n/default/functions/versioned/versions");
    await page.getByRole("button", { name: "Compare" }).first().click();
    const diff = page.getByRole("region", { name: "What differs from version 1 to version 2" });
    expect(await diff.textContent()).toMatch(/removed: .*echo old.*added: .*echo new/s);
    await page.getByRole("button", { name: "Roll back" }).click();
    const dialog = page.getByRole("dialog", { name: "Roll back to version 1?" });
    await dialog.getByRole("button", { name: "Roll back" }).click();
    await page
        .getByRole("listitem")
        .filter({ hasText: /^v3Current/ })
        .waitFor();
    expect(JSON.stringify(await server.rest("GET", "/v1/functions/versioned"))).toContain("echo old");
    await context.close();
});

test("metrics count what was called, and can be read by keyboard", async () => {
    await server.applyShell("measured", 'read -r line; [ "$line" != bad ]');
    for (const payload of ["a", "b", "bad"])
        await server.ended(await server.invoke("measured", `${payload}\n`));
    const { page, context } = await visit(browser, server);
    await page.goto("/n/default/functions/measured/metrics");
    await page.getByRole("heading", { name: "Calls: 3 calls, 1 failed" }).waitFor();
    const chart = page.getByRole("img", { name: /^Calls over time/ });
    await chart.focus();
    await page.keyboard.press("ArrowLeft");
    await page.getByText(/: failed \d+, cancelled 0, succeeded \d+/).waitFor();
    await context.close();
});

test("deleting asks for the name, and the page then says that it is gone", async () => {
    await server.applyShell("doomed", "true");
    const { page, context } = await visit(browser, server);
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
    await context.close();
});
