import { expect, test } from "vitest";

import { stage } from "./harness/stage.ts";

const { server, visit } = stage();

test("a change is shown as a diff before it is saved, and says whether it makes a version", async () => {
    await server.applyShell("edited", "echo one");
    const { page } = await visit();
    await page.goto("/n/default/functions/edited/edit");
    await page.getByLabel("Concurrency").fill("3");
    await page.getByRole("button", { name: "Review and save" }).click();
    const dialog = page.getByRole("dialog", { name: "Review the change" });
    await dialog.getByText("no new one is made").waitFor();
    await expect
        .poll(() => dialog.getByRole("region", { name: "What would change" }).textContent())
        .toContain("concurrency: 3");
    await dialog.getByRole("button", { name: "Go on editing" }).click();
    await page.getByLabel("Timeout").fill("7s");
    await page.getByRole("button", { name: "Review and save" }).click();
    await dialog.getByText("This makes a new version").waitFor();
    await dialog.getByRole("button", { name: "Save" }).click();
    await page.getByText("edited is saved.").waitFor();
    await page.getByText(/version 2/).waitFor();
    expect(await server.rest("GET", "/v1/functions/edited")).toMatchObject({
        timeout: "7s",
        concurrency: 3,
        version: 2,
    });
});

test("a change by somebody else meanwhile is told, and nothing is overwritten unasked", async () => {
    await server.applyShell("shared", "echo one");
    const { page } = await visit();
    await page.goto("/n/default/functions/shared/edit");
    await page.getByLabel("Timeout").fill("9s");
    await server.applyShell("shared", "echo two");
    const note = page.getByRole("alert", { name: "Changed meanwhile" });
    await note.waitFor();
    const save = page.getByRole("button", { name: "Review and save" });
    expect(await save.getAttribute("aria-disabled")).toBe("true");
    await note.getByRole("button", { name: "Show the other change" }).click();
    await expect.poll(() => note.getByRole("region").textContent()).toContain("echo two");
    await note.getByRole("button", { name: "Take theirs" }).click();
    await expect
        .poll(async () => page.getByRole("textbox", { name: "YAML" }).inputValue())
        .toContain("echo two");

    await page.getByLabel("Timeout").fill("11s");
    await server.applyShell("shared", "echo three");
    await note.waitFor();
    await note.getByRole("button", { name: "Keep mine" }).click();
    await save.click();
    const dialog = page.getByRole("dialog");
    const diff = await dialog.getByRole("region", { name: "What would change" }).textContent();
    expect(diff, "what is overwritten is shown first").toContain("echo three");
    await dialog.getByRole("button", { name: "Save" }).click();
    await page.getByText("shared is saved.").waitFor();
    expect(JSON.stringify(await server.rest("GET", "/v1/functions/shared"))).toContain("echo two");
});
