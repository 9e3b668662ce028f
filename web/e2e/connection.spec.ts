import { expect, test } from "vitest";

import { accessibility } from "./harness/checks.ts";
import { stage } from "./harness/stage.ts";

const { server, visit } = stage();

test("a server that is killed leaves what was shown, says so, and the page goes on by itself when it is back", async () => {
    await server.applyShell("before", "true");
    const { page } = await visit();
    await page.goto("/n/default/functions");
    await page.getByRole("row", { name: /^before / }).waitFor();
    await page.getByRole("main").getByText("Live", { exact: true }).waitFor();

    await server.kill();
    await page.getByText(/^Connection lost: this is how it was/).waitFor();
    expect(await page.getByRole("row", { name: /^before / }).isVisible(), "old rows stay").toBe(true);
    expect(await accessibility(page)).toEqual([]);

    await server.comeBack();
    await page.getByRole("main").getByText("Live", { exact: true }).waitFor({ timeout: 40_000 });
    await server.applyShell("after", "true");
    await page.getByRole("row", { name: /^after / }).waitFor();
});

test("what was deleted while the connection was lost is gone afterwards", async () => {
    await server.applyShell("leaves", "true");
    const { page, context } = await visit();
    await page.goto("/n/default/functions");
    await page.getByRole("row", { name: /^leaves / }).waitFor();
    await context.setOffline(true);
    // A stream that is open already does not end by that: the server does.
    await server.kill();
    await server.comeBack();
    await server.rest("DELETE", "/v1/functions/leaves");
    await page.getByText(/^Connection lost/).waitFor();
    await context.setOffline(false);
    await expect
        .poll(async () => page.getByRole("row", { name: /^leaves / }).count(), { timeout: 30_000 })
        .toBe(0);
});

test("without a server the login says that it cannot be reached, in words", async () => {
    const { page } = await visit({ loggedIn: false });
    await page.goto("/login");
    await page.getByLabel("Username").fill("admin");
    await page.getByLabel("Password").fill("admin");
    await server.kill();
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("alert").getByText("EventFlow cannot be reached").waitFor();
    await server.comeBack();
    await page.getByRole("button", { name: "Log in", exact: true }).click();
    await page.getByRole("heading", { name: "Functions", exact: true }).waitFor();
});
