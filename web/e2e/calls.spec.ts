import { readFileSync, writeFileSync } from "node:fs";

import { beforeAll, expect, test } from "vitest";

import { settled } from "./harness/checks.ts";
import { stage } from "./harness/stage.ts";

/** Fails while its payload says so, prints on both streams, and answers JSON. */
const CHARGE = `payload=$(cat)
echo "charging $payload"
case $payload in *expired*) echo "gateway refused: card_expired" >&2; exit 3;; esac
printf '{"charged":7,"id":12345678901234567890}' > "$EVENTFLOW_RESULT_FILE"`;
const GOOD = `{"card": "valid"}`;
const BAD = `{"card": "expired"}`;

const { server, visit } = stage("ui.trace_link=https://traces.example/t/{trace_id}");

beforeAll(async () => {
    const retry = { maxAttempts: 2, backoff: { initial: "1s", max: "1s" } };
    await server.applyShell("charge", CHARGE, { retry });
});

async function open(id: string, viewport = { width: 1440, height: 900 }) {
    const visited = await visit({ viewport });
    await visited.page.goto(`/n/default/invocations/${id}`);
    await settled(visited.page);
    return visited;
}

async function invokeBytes(name: string, payload: Buffer, contentType: string): Promise<string> {
    const response = await fetch(`${server.url}/v1/functions/${name}:invoke`, {
        method: "POST",
        headers: { authorization: `Bearer ${server.token}`, "content-type": contentType },
        body: new Uint8Array(payload),
    });
    return String(((await response.json()) as { id: string }).id);
}

test("the record of a failed call tells each attempt, why it failed, and what it printed", async () => {
    const id = await server.invoke("charge", BAD, "application/json");
    await server.ended(id);
    const { page } = await open(id);
    const timeline = page.getByRole("region", { name: "Timeline" });
    await timeline.getByText("Attempt 2").waitFor();
    await expect.poll(() => timeline.getByText("cold", { exact: true }).count()).toBe(2);
    await expect.poll(() => timeline.getByText("exit code 3").count()).toBe(2);
    await expect.poll(() => timeline.getByText("Wait to retry").count()).toBe(1);
    await page.getByText("Redrive or discard it").waitFor();
    await page
        .getByRole("region", { name: "Payload", exact: true })
        .first()
        .getByText('"card": "expired"')
        .waitFor();
    const log = page.getByRole("region", { name: "Lines that this call printed" });
    await expect.poll(() => log.getByText("gateway refused: card_expired").count()).toBe(2);
});

test("a call is followed live from its start to its result, without a reload", async () => {
    const gate = server.file("go");
    await server.applyShell(
        "slow",
        `echo first; while [ ! -e ${gate} ]; do sleep 0.05; done; echo last; echo done`,
    );
    const id = await server.invoke("slow");
    const { page } = await open(id);
    const log = page.getByRole("region", { name: "Lines that this call printed" });
    await page.getByRole("heading", { level: 1 }).getByText("Running").waitFor();
    await log.getByText("first").waitFor();
    await page.getByText("Not there yet.").waitFor();
    writeFileSync(gate, "");
    await log.getByText("last").waitFor();
    await page.getByRole("heading", { level: 1 }).getByText("Succeeded").waitFor();
    await page.getByRole("region", { name: "Result", exact: true }).first().getByText("done").waitFor();
});

test("numbers that JavaScript would round are shown as the function wrote them", async () => {
    const id = await server.invoke("charge", GOOD, "application/json");
    await server.ended(id);
    const { page } = await open(id);
    await page.getByText("12345678901234567890").first().waitFor();
});

test("a failed call is replayed with an edited payload, and both records name each other", async () => {
    const id = await server.invoke("charge", BAD, "application/json");
    await server.ended(id);
    const { page } = await open(id);
    await page.getByRole("button", { name: "Replay" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Payload", { exact: true }).fill(GOOD);
    await dialog
        .getByText(`eventflow --url ${server.url} invocations replay ${id} --data '${GOOD}'`)
        .waitFor();
    await dialog.getByRole("button", { name: "Replay with this payload" }).click();
    await page.getByText("Replay of").waitFor();
    await page.getByRole("heading", { level: 1 }).getByText("Succeeded").waitFor();
    await page.getByRole("link", { name: id.slice(-12) }).click();
    await page.getByRole("region", { name: "Replays" }).getByText("Succeeded").waitFor();
    expect(new URL(page.url()).pathname).toBe(`/n/default/invocations/${id}`);
});

test("a running call is cancelled, after a question", async () => {
    await server.applyShell("endless", "echo up; sleep 600", { timeout: "10m" });
    const id = await server.invoke("endless");
    const { page } = await open(id);
    await page.getByRole("region", { name: "Lines that this call printed" }).getByText("up").waitFor();
    await page.getByRole("button", { name: "Cancel", exact: true }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Cancel the call" }).click();
    await page.getByRole("heading", { level: 1 }).getByText("Cancelled").waitFor();
    expect((await server.ended(id))["state"]).toBe("CANCELLED");
});

test("an image is shown, SVG and HTML are text, and the payload is downloaded as it was", async () => {
    await server.applyShell("echo", "cat");
    const pixel = Buffer.from(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "base64",
    );
    const { page } = await open(await invokeBytes("echo", pixel, "image/png"));
    const payload = page.getByRole("region", { name: "Payload", exact: true }).first();
    const result = page.getByRole("region", { name: "Result", exact: true }).first();
    for (const shown of [payload, result]) {
        await shown.getByText("1 × 1 pixels").waitFor();
        const width = await shown.getByRole("img").evaluate((image: HTMLImageElement) => image.naturalWidth);
        expect(width).toBe(1);
    }
    const [file] = await Promise.all([
        page.waitForEvent("download"),
        payload.getByRole("button", { name: "Download" }).click(),
    ]);
    expect(file.suggestedFilename()).toMatch(/-payload\.png$/);
    expect(readFileSync(await file.path())).toEqual(pixel);
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`;
    await page.goto(`/n/default/invocations/${await server.invoke("echo", svg, "image/svg+xml")}`);
    await payload.getByText('onload="alert(1)"').waitFor();
    expect(await page.locator("main svg[onload]").count()).toBe(0);
});

test("the trace is linked as the installation says", async () => {
    const id = await server.invoke("charge", GOOD, "application/json");
    const { traceId } = await server.ended(id);
    const { page } = await open(id);
    const link = page.getByRole("link", { name: String(traceId) });
    expect(await link.getAttribute("href")).toBe(`https://traces.example/t/${String(traceId)}`);
    expect(await link.getAttribute("rel")).toContain("noreferrer");
});

test("a call that is not there is told, with a way to try again", async () => {
    const { page } = await open("01900000-0000-7000-8000-000000000000");
    await page.getByRole("alert").getByText("No such invocation").waitFor();
    await page.getByRole("button", { name: "Try again" }).waitFor();
});
