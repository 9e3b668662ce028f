import { afterAll, beforeAll, expect, test } from "vitest";

import { stage } from "./harness/stage.ts";
import { ViteServer } from "./harness/vite.ts";

const { server, visit } = stage();

let vite: ViteServer;
beforeAll(async () => {
    vite = await ViteServer.start(server);
});
afterAll(() => vite.stop());

test("npm run dev: calls and streams go to a running server, and a changed source shows without a reload", async () => {
    const { page } = await visit({ url: vite.url, loggedIn: false });
    await page.goto("/", { timeout: 60_000 });
    await page.getByRole("button", { name: "Get Dev Token & Login" }).click({ timeout: 60_000 });
    await page.getByRole("heading", { name: "No functions yet" }).waitFor();
    // Over a stream that is open already: nothing on the way holds it back.
    await page.getByRole("main").getByText("Live", { exact: true }).first().waitFor();
    await server.applyShell("live", "cat");
    await page.getByRole("row", { name: /^live / }).waitFor();

    await page.evaluate(() => (document.documentElement.dataset["e2e"] = "the first document"));
    await vite.edit("src/app/Sidebar.tsx", 'label: "Dead letters"', 'label: "Letters of the dead"');
    await page.getByRole("link", { name: "Letters of the dead" }).waitFor();
    expect(await page.evaluate(() => document.documentElement.dataset["e2e"])).toBe("the first document");
    await page.getByRole("row", { name: /^live / }).waitFor();

    // A REST call with a body, which the server takes from its own pages only.
    await page.goto("/n/default/functions/live/invoke");
    await page.getByRole("button", { name: "Text" }).click();
    await page.getByLabel("Payload", { exact: true }).fill("through the dev server");
    await page.getByRole("button", { name: "Invoke", exact: true }).click();
    await page.getByRole("region", { name: "Answer" }).getByText("through the dev server").first().waitFor();
});
