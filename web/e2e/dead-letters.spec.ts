import { writeFileSync } from "node:fs";

import type { Page } from "playwright-core";
import { beforeAll, expect, test } from "vitest";

import { PHONE } from "./harness/browser.ts";
import { accessibility, settled, sticksOut } from "./harness/checks.ts";
import { stage } from "./harness/stage.ts";

/** Refuses what it was told to refuse, until its gate file is there. */
const gated = (name: string, code: number) =>
    `if [ ! -e ${server.file(name)} ]; then echo "no ${name}" >&2; exit ${code}; fi; echo fine`;

const { server, visit } = stage();

beforeAll(async () => {
    await server.applyShell("mailer", gated("smtp", 4));
    await server.applyShell("payer", gated("bank", 5));
    await server.applyShell("slowly", "sleep 30", { timeout: "1s" });
});

const groups = (page: Page) => page.getByRole("list", { name: "Groups of dead letters" }).locator("> li");
const group = (page: Page, name: string) => groups(page).filter({ hasText: name });

async function fail(name: string, times: number): Promise<string[]> {
    const ids = [];
    for (let call = 0; call < times; call += 1) ids.push(await server.invoke(name));
    for (const id of ids) await server.ended(id);
    return ids;
}

test("dead letters come in groups by function and reason, by themselves", async () => {
    const { page } = await visit({
        viewport: { width: 1440, height: 900 },
    });
    await page.goto("/n/default/dead-letters");
    await page.getByText("No dead letters").waitFor();
    await page.getByText("Live", { exact: true }).waitFor();
    await fail("mailer", 3);
    await fail("slowly", 1);
    await group(page, "mailer").getByTitle("3 dead letters").waitFor();
    await group(page, "slowly").getByText("Timeout").first().waitFor();
    await expect.poll(() => groups(page).count()).toBe(2);
    await page.getByLabel("Reason").selectOption("Timeout");
    await page.waitForURL(/reason=Timeout/);
    await group(page, "mailer").waitFor({ state: "hidden" });
    expect(await accessibility(page)).toEqual([]);
});

test("one is looked into and redriven alone, the rest of its group with a rate, and they are gone", async () => {
    const ids = await fail("payer", 4);
    const { page } = await visit({ viewport: { width: 1440, height: 900 } });
    await page.goto("/n/default/dead-letters?function=payer");
    await group(page, "payer").getByRole("button", { name: "Show the calls" }).click();
    const short = ids[0]?.slice(-12) ?? "";
    await group(page, "payer").getByRole("link", { name: short }).waitFor();
    await server.applyShell("payer", "echo repaired");
    await group(page, "payer")
        .getByRole("button", { name: `Redrive ${short}` })
        .click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText("This is about 1 dead letter.").waitFor();
    await dialog.getByRole("button", { name: "Redrive 1 dead letter" }).click();
    await dialog.getByText("Done: 1 dead letter redriven.").waitFor();
    await dialog
        .locator("dl > div")
        .filter({ hasText: "succeeded" })
        .getByText("1", { exact: true })
        .waitFor();
    await dialog.getByRole("button", { name: "Close" }).last().click();
    await group(page, "payer").getByTitle("3 dead letters").waitFor();
    await group(page, "payer").getByRole("link", { name: short }).waitFor({ state: "hidden" });
    await group(page, "payer").getByRole("button", { name: "Redrive …" }).first().click();
    await dialog.getByLabel("New calls a second").fill("5");
    await dialog.getByRole("button", { name: "Redrive 3 dead letters" }).click();
    await dialog
        .locator("dl > div")
        .filter({ hasText: "succeeded" })
        .getByText("3", { exact: true })
        .waitFor();
    await dialog.getByRole("button", { name: "Close" }).last().click();
    await page.getByText("No dead letter fits this filter").waitFor();
    for (const id of ids) expect((await server.ended(id))["deadLetter"]).toBe(false);
});

test("those that a filter holds are redriven together, then all that are left", async () => {
    const home = "/n/bulk/dead-letters";
    for (const [name, code] of [
        ["one", 4],
        ["two", 5],
    ] as const) {
        await server.rest("POST", "/v1/namespaces/bulk/functions", {
            name,
            runtime: "process",
            command: ["/bin/sh", "-c", gated("bulk", code)],
        });
        // Nobody waits for them: who waits is told, and has no dead letter.
        for (let call = 0; call < 2; call += 1) {
            const { id } = await server.rest("POST", `/v1/namespaces/bulk/functions/${name}:invoke`);
            await server.ended(String(id));
        }
    }
    writeFileSync(server.file("bulk"), "");
    const { page } = await visit();
    const dialog = page.getByRole("dialog");
    const redriveAll = async () => {
        await page.getByRole("button", { name: "Redrive all …" }).click();
        await dialog.getByText("This is about 2 dead letters.").waitFor();
        await dialog.getByLabel("New calls a second").fill("4");
        await dialog.getByText("All have started in 1 s.").waitFor();
        await dialog.getByRole("button", { name: "Redrive 2 dead letters" }).click();
        await dialog.getByText("Done: 2 dead letters redriven.").waitFor();
        await dialog.getByRole("button", { name: "Close" }).last().click();
    };
    await page.goto(home);
    await page.getByText("4 dead letters in 2 groups").waitFor();
    await page.getByLabel("Function").selectOption("one");
    await page.waitForURL(/function=one/);
    await page.getByText("2 dead letters in 1 group").waitFor();
    await redriveAll();
    await page.goto(home);
    await page.getByText("2 dead letters in 1 group").waitFor();
    await group(page, "two").waitFor();
    await redriveAll();
    await page.getByText("No dead letters").waitFor();
});

test("ticked ones are discarded after a question, and their records stay", async () => {
    await server.applyShell("lost", "exit 9");
    const ids = await fail("lost", 3);
    const { page } = await visit({ viewport: PHONE });
    await page.goto("/n/default/dead-letters?function=lost");
    await settled(page);
    await group(page, "lost").getByRole("button", { name: "Show the calls" }).click();
    for (const id of ids.slice(0, 2)) await page.getByRole("checkbox", { name: id.slice(-12) }).check();
    const bar = page.getByRole("toolbar", { name: "Ticked dead letters" });
    await bar.getByText("2 dead letters ticked").waitFor();
    expect(await sticksOut(page)).toEqual([]);
    await bar.getByRole("button", { name: "Discard …" }).click();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "hidden" });
    expect((await server.ended(ids[0] ?? ""))["deadLetter"]).toBe(true);
    await bar.getByRole("button", { name: "Discard …" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Discard 2 dead letters" }).click();
    await page.getByRole("dialog").getByText("Done: 2 dead letters discarded.").waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
    await group(page, "lost").getByTitle("1 dead letter").waitFor();
    const states = await Promise.all(ids.map((id) => server.ended(id)));
    expect(states.map((one) => [one["state"], one["deadLetter"]])).toEqual([
        ["FAILED", false],
        ["FAILED", false],
        ["FAILED", true],
    ]);
});
