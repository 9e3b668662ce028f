import { readFileSync } from "node:fs";

import type { Page } from "playwright-core";
import { expect, test } from "vitest";

import { stage } from "./harness/stage.ts";

const { server, visit } = stage();

const answer = (page: Page) => page.getByRole("region", { name: "Answer", exact: true }).first();

test("invoke: the answer, a failure with its reason, async, the past payloads and the commands", async () => {
    await server.applyShell("called", 'input=$(cat); [ "$input" = bad ] && exit 3; printf "got %s" "$input"');
    const { page } = await visit();
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
    await expect.poll(() => page.getByLabel("Payload", { exact: true }).inputValue()).toBe("first one");

    await page.getByRole("button", { name: "As a command" }).click();
    const curl = await page.getByRole("region", { name: "curl", exact: true }).textContent();
    expect(curl).toContain("--data-binary 'first one'");
    expect(curl).toContain("/v1/namespaces/default/functions/called:invoke");
    await expect
        .poll(() => page.getByRole("region", { name: "CLI" }).textContent())
        .toContain("invoke called --data 'first one'");
    expect(await page.content(), "the token is in no command").not.toContain(server.token);
});

test("headers go along: the same key is answered with the same call", async () => {
    await server.applyShell("keyed", "echo run >> " + server.file("runs") + "; echo done");
    const { page } = await visit();
    await page.goto("/n/default/functions/keyed/invoke");
    await page.getByRole("button", { name: "Add a header" }).click();
    await page.getByLabel("Header 1: name").fill("Idempotency-Key");
    await page.getByLabel("Header 1: value").fill("only-once");
    const record = answer(page).getByRole("link", { name: "Open the record" });
    const addresses = [];
    for (let call = 0; call < 2; call += 1) {
        await page.getByRole("button", { name: "Invoke", exact: true }).click();
        await answer(page).getByText("done", { exact: true }).waitFor();
        addresses.push(await record.getAttribute("href"));
    }
    expect(addresses[1]).toBe(addresses[0]);
    expect(readFileSync(server.file("runs"), "utf8")).toBe("run\n");
});

test("the commands that it offers do the same in a terminal", async () => {
    await server.applyShell("typed", 'printf "got <%s>" "$(cat)"');
    const { page } = await visit();
    await page.goto("/n/default/functions/typed/invoke");
    await page.getByRole("button", { name: "Text" }).click();
    const payload = `it's "quoted" $HOME and é`;
    await page.getByLabel("Payload", { exact: true }).fill(payload);
    await page.getByRole("button", { name: "As a command" }).click();
    await server.shell(`eventflow --url ${server.url} login`);
    for (const label of ["CLI", "curl"]) {
        const command = await page.getByRole("region", { name: label, exact: true }).textContent();
        expect(await server.shell(command ?? ""), label).toContain(`got <${payload}>`);
    }
});

test("a file goes as it is, and what comes back can be downloaded", async () => {
    await server.applyShell("echoes", "cat");
    const { page } = await visit();
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
});
