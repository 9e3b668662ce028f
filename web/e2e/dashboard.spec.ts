import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";

import { launch, PHONE, visit } from "./harness/browser.ts";
import { accessibility, settled, sticksOut } from "./harness/checks.ts";
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

const row = (name: string) => new RegExp(`^${name} `);

test("an empty installation teaches: an example to paste, and the way to the form", async () => {
    const { page, context } = await visit(browser, server);
    await page.goto("/n/empty/functions");
    await page.getByRole("heading", { name: "No functions yet" }).waitFor();
    const example = await page.getByRole("region", { name: "Example" }).textContent();
    expect(example).toContain("kind: Function");
    expect(example).toContain("namespace: empty");
    expect(await accessibility(page)).toEqual([]);
    await page.getByRole("main").getByRole("link", { name: "Create Function" }).last().click();
    await page.getByRole("heading", { name: "Create a function" }).waitFor();
    await context.close();
});

test("functions come, change and go without a reload, and nothing is asked for again and again", async () => {
    const { page, context, troubles } = await visit(browser, server);
    let asked = 0;
    page.on("request", (request) => {
        if (request.url().includes("/eventflow.v1.")) asked += 1;
    });
    await page.goto("/n/live/functions");
    await page.getByRole("heading", { name: "No functions yet" }).waitFor();

    await server.rest("POST", "/v1/namespaces/live/functions", {
        name: "alpha",
        runtime: "process",
        command: ["/bin/echo", "hi"],
    });
    await page.getByRole("row", { name: row("alpha") }).waitFor();
    await page.getByRole("row", { name: /alpha.*Ready/ }).waitFor();
    await server.rest("POST", "/v1/namespaces/live/functions/alpha:pause", {});
    await page.getByRole("row", { name: /alpha.*Paused/ }).waitFor();
    await server.rest("POST", "/v1/namespaces/live/functions/alpha:resume", {});
    await page.getByRole("row", { name: /alpha.*Ready/ }).waitFor();

    await server.rest("POST", "/v1/namespaces/live/functions/alpha:invoke?wait=20s&record=true");
    await page
        .getByRole("img", { name: /alpha: 1 calls in the last 30 minutes, 0 of them failed/ })
        .waitFor();
    await page.getByRole("row", { name: /alpha.*100 %.*(just now|s ago)/ }).waitFor();

    await server.rest("DELETE", "/v1/namespaces/live/functions/alpha");
    await page.getByRole("heading", { name: "No functions yet" }).waitFor();
    expect(asked, "two streams and what the frame asks for once").toBeLessThan(8);
    expect(troubles.found).toEqual([]);
    await context.close();
});

test("search, filters and order live in the address", async () => {
    for (const name of ["one", "two", "three"]) {
        await server.rest("POST", "/v1/namespaces/many/functions", {
            name,
            runtime: "process",
            command: ["/bin/true"],
        });
    }
    await server.rest("POST", "/v1/namespaces/many/functions/two:pause", {});
    const { page, context } = await visit(browser, server);
    await page.goto("/n/many/functions");
    await page.getByRole("row", { name: row("one") }).waitFor();
    const names = async () => page.getByRole("table").locator("tbody a").allTextContents();
    await expect.poll(names).toEqual(["one", "three", "two"]);

    await page.getByRole("button", { name: "Function" }).click();
    await expect.poll(names).toEqual(["two", "three", "one"]);
    await page.getByRole("searchbox", { name: "Search functions" }).fill("t");
    await expect.poll(names).toEqual(["two", "three"]);
    await page.getByRole("combobox", { name: "State" }).selectOption("Paused");
    await expect.poll(names).toEqual(["two"]);
    await page.reload();
    await expect.poll(names).toEqual(["two"]);
    await page.getByRole("button", { name: "Clear" }).click();
    await expect.poll(names).toEqual(["two", "three", "one"]);
    await page.getByRole("searchbox", { name: "Search functions" }).fill("nothing-like-it");
    await page.getByRole("heading", { name: "No function matches" }).waitFor();
    await context.close();
});

test("the namespace picker knows all namespaces and keeps the kind of page", async () => {
    await server.rest("POST", "/v1/namespaces/media/functions", {
        name: "crop",
        runtime: "process",
        command: ["/bin/true"],
    });
    const { page, context } = await visit(browser, server);
    await page.goto("/n/default/functions");
    const picker = page.getByRole("combobox", { name: "Namespace" });
    await expect.poll(async () => picker.locator("option").allTextContents()).toContain("media");
    await picker.selectOption("media");
    await page.getByRole("row", { name: row("crop") }).waitFor();
    await picker.selectOption("All namespaces");
    await page.getByRole("row", { name: /^media\/crop/ }).waitFor();
    await page.goto("/");
    await page.waitForURL("**/n/-/functions");
    await context.close();
});

test("names and messages of users are only ever text", async () => {
    const attack = `<img src=x onerror="window.hacked=1">`;
    await server.rest("POST", "/v1/namespaces/xss/functions", {
        name: "attack",
        runtime: "process",
        command: ["/bin/sh", "-c", `echo '${attack}'; echo '${attack}' >&2`],
        env: { HTML: attack },
    });
    const { page, context, troubles } = await visit(browser, server);
    for (const path of [
        "functions?q=%3Cscript%3E",
        "functions/attack",
        "functions/attack/yaml",
        "functions/attack/edit",
    ]) {
        await page.goto(`/n/xss/${path}`);
        await settled(page);
        await page.getByRole("heading").first().waitFor();
    }
    await page.goto("/n/xss/functions/attack/invoke");
    await page.getByRole("button", { name: "Invoke", exact: true }).click();
    await page
        .getByRole("region", { name: "Answer", exact: true })
        .last()
        .getByText(attack)
        .first()
        .waitFor();
    expect(await page.evaluate(() => "hacked" in window)).toBe(false);
    expect(troubles.found).toEqual([]);
    await context.close();
});

test("the dashboard meets WCAG 2.2 AA in both themes and fits a phone and a 4K screen", async () => {
    await server.applyShell("fits", "echo hi");
    await server.ended(await server.invoke("fits"));
    const { page, context } = await visit(browser, server, { viewport: PHONE });
    for (const theme of ["dark", "light"]) {
        await page.goto("/n/default/functions");
        await page.evaluate((wanted) => localStorage.setItem("eventflow.theme", wanted), theme);
        await page.reload();
        await page.getByRole("row", { name: row("fits") }).waitFor();
        expect(await accessibility(page)).toEqual([]);
    }
    expect(await sticksOut(page)).toEqual([]);
    await page.getByRole("button", { name: "Menu" }).click();
    await page.getByRole("link", { name: "Invocations" }).waitFor();
    await page.keyboard.press("Escape");
    await page.setViewportSize({ width: 3840, height: 2160 });
    expect(await sticksOut(page)).toEqual([]);
    await context.close();
});
