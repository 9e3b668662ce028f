import { expect, test } from "vitest";

import { PHONE } from "./harness/browser.ts";
import { accessibility, settled } from "./harness/checks.ts";
import { stage } from "./harness/stage.ts";

const { server, visit } = stage();

const row = (name: string) => new RegExp(`^${name} `);

test("an empty installation teaches: an example to paste, and the way to the form", async () => {
    const { page } = await visit();
    await page.goto("/n/empty/functions");
    await page.getByRole("heading", { name: "No functions yet" }).waitFor();
    const example = await page.getByRole("region", { name: "Example" }).textContent();
    expect(example).toContain("kind: Function");
    expect(example).toContain("namespace: empty");
    expect(await accessibility(page)).toEqual([]);
    await page.getByRole("main").getByRole("link", { name: "Create Function" }).last().click();
    await page.getByRole("heading", { name: "Create a function" }).waitFor();
});

test("functions come, change and go without a reload, and nothing is asked for again and again", async () => {
    const { page } = await visit();
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
    const { page } = await visit();
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
});

test("the namespace picker knows all namespaces and keeps the kind of page", async () => {
    await server.rest("POST", "/v1/namespaces/media/functions", {
        name: "crop",
        runtime: "process",
        command: ["/bin/true"],
    });
    const { page } = await visit();
    await page.goto("/n/default/functions");
    const picker = page.getByRole("combobox", { name: "Namespace" });
    await expect.poll(async () => picker.locator("option").allTextContents()).toContain("media");
    await picker.selectOption("media");
    await page.getByRole("row", { name: row("crop") }).waitFor();
    await picker.selectOption("All namespaces");
    await page.getByRole("row", { name: /^media\/crop/ }).waitFor();
    await page.goto("/");
    await page.waitForURL("**/n/-/functions");
});

test("names and messages of users are only ever text", async () => {
    const attack = `<img src=x onerror="window.hacked=1">`;
    await server.rest("POST", "/v1/namespaces/xss/functions", {
        name: "attack",
        runtime: "process",
        command: ["/bin/sh", "-c", `echo '${attack}'; echo '${attack}' >&2`],
        env: { HTML: attack },
    });
    const { page } = await visit();
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
});

test("on a phone the menu opens, is accessible, and closes by Escape", async () => {
    const { page } = await visit({ viewport: PHONE });
    await page.goto("/n/default/functions");
    await settled(page);
    await page.getByRole("button", { name: "Menu" }).click();
    const link = page.getByRole("link", { name: "Invocations" });
    await link.waitFor();
    expect(await accessibility(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await link.waitFor({ state: "hidden" });
});
