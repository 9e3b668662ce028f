import { writeFileSync } from "node:fs";

import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";

import { picture } from "./harness/browser.ts";
import { stage } from "./harness/stage.ts";

const { server, visit } = stage();

const named = (
    page: Page,
    role: "button" | "link" | "textbox" | "combobox",
    name: string | RegExp,
): Locator => page.getByRole(role, { name, ...(typeof name === "string" && { exact: true }) });

/** Words of a shell command, one in each row of the form. */
async function command(page: Page, words: readonly string[]): Promise<void> {
    for (const [at, word] of words.entries()) {
        await named(page, "button", "Add a part").click();
        await named(page, "textbox", `Part of the command ${at + 1}`).fill(word);
    }
}

/** Three lines, each only when its file is there. */
const script = (end: string) =>
    `read name; for i in 1 2 3; do while [ ! -e ${server.file("go")}$i ]; do sleep 0.05; done; ` +
    `echo "line $i for $name" >&2; done; ${end}`;
const go = (step: number) => writeFileSync(server.file(`go${step}`), "");

test("a newcomer logs in, makes a function, calls it, breaks it, sees why, repairs it, replays and deletes it", async () => {
    const { page } = await visit({ loggedIn: false });
    // Opens it, and logs in.
    await page.goto("/");
    await named(page, "button", "Get Dev Token & Login").waitFor();
    await picture(page, "login");
    await named(page, "button", "Get Dev Token & Login").click();
    await page.getByRole("heading", { name: "No functions yet" }).waitFor();
    await picture(page, "dashboard-empty");
    expect(
        await page.evaluate(() => localStorage.length === 0 || !JSON.stringify(localStorage).includes("eyJ")),
    ).toBe(true);

    // Makes a function by the form.
    await page.evaluate(() => (document.documentElement.dataset["e2e"] = "the first document"));
    await named(page, "link", "Create Function").first().click();
    await named(page, "textbox", "Name").fill("greet");
    await named(page, "combobox", "Runtime").selectOption("process");
    await command(page, ["/bin/sh", "-c", script('printf "hello %s" "$name"')]);
    await picture(page, "create-function");
    await named(page, "button", "Create Function").click();

    // It becomes ready without a reload: the same document all the while.
    await page.getByRole("heading", { level: 1, name: "greet" }).waitFor();
    await page.getByText("Ready", { exact: true }).first().waitFor();
    expect(await page.evaluate(() => document.documentElement.dataset["e2e"])).toBe("the first document");
    await picture(page, "function");

    // Calls it, without waiting for the answer, and watches its lines arrive.
    await named(page, "link", "Invoke").click();
    await named(page, "button", "Text").click();
    await named(page, "textbox", "Payload").fill("Ada\n");
    await page.getByLabel("Only accept it (async)").check();
    await picture(page, "invoke");
    await named(page, "button", "Invoke").click();
    await named(page, "link", "Open the record").click();
    await page.getByText("Running", { exact: true }).first().waitFor();
    const log = page.getByRole("region", { name: /log/i }).last();
    for (const step of [1, 2, 3]) {
        expect(await log.getByText(`line ${step} for Ada`).count()).toBe(0);
        go(step);
        await log.getByText(`line ${step} for Ada`).waitFor();
    }
    await page.getByText("hello Ada").first().waitFor();
    await page.getByText("Succeeded", { exact: true }).first().waitFor();
    await picture(page, "invocation");

    // Breaks it.
    await named(page, "link", "greet").first().click();
    await named(page, "link", "Edit").click();
    await named(page, "textbox", "Part of the command 3").fill(script('echo "no such greeting" >&2; exit 3'));
    await named(page, "button", /review|save/i)
        .last()
        .click();
    await page.getByRole("dialog").waitFor();
    await picture(page, "edit-review");
    await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { level: 1, name: "greet" }).waitFor();
    await named(page, "link", "Invoke").click();
    await named(page, "button", "Text").click();
    await named(page, "textbox", "Payload").fill("Bob\n");
    await named(page, "button", "Invoke").click();

    // Sees why.
    await page.getByText("ExitCode").first().waitFor();
    await picture(page, "invoke-failed");
    await named(page, "link", "Open the record").click();
    await page.getByText("no such greeting").first().waitFor();
    await page.getByText("Failed", { exact: true }).first().waitFor();
    await picture(page, "invocation-failed");
    const failed = page.url();

    // Repairs it, and replays the failed call.
    await named(page, "link", "greet").first().click();
    await named(page, "link", "Edit").click();
    await named(page, "textbox", "Part of the command 3").fill(script('printf "welcome back %s" "$name"'));
    await named(page, "button", /review|save/i)
        .last()
        .click();
    await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { level: 1, name: "greet" }).waitFor();
    await page.goto(failed);
    await named(page, "button", /^Replay/)
        .first()
        .click();
    await page
        .getByRole("dialog")
        .getByRole("button", { name: /^Replay/ })
        .click();
    await page.getByText("welcome back Bob").first().waitFor();
    await page.waitForURL((url) => url.href !== failed);
    await picture(page, "invocation-replayed");

    // Deletes it.
    await named(page, "link", "greet").first().click();
    await named(page, "button", "Delete").click();
    await page.getByLabel("Type greet to confirm").fill("greet");
    await picture(page, "delete");
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByRole("heading", { name: "No functions yet" }).waitFor();
    expect(await server.rest("GET", "/v1/functions")).toMatchObject({ functions: [] });
});
