import { readFileSync, writeFileSync } from "node:fs";

import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";

import { PHONE } from "./harness/browser.ts";
import { accessibility, settled } from "./harness/checks.ts";
import { stage } from "./harness/stage.ts";

const { server, visit } = stage();

const WIDE = { viewport: { width: 1440, height: 900 } };
const lines = (page: Page) => page.getByRole("region", { name: /^Lines that/ });
const top = (log: Locator) => log.evaluate((element) => element.scrollTop);
/** What is at the top of the frame. */
const firstInSight = (log: Locator) =>
    log.evaluate((frame) => {
        const edge = frame.getBoundingClientRect().top;
        const rows = [...frame.querySelectorAll("[data-line]")];
        return rows.find((row) => row.getBoundingClientRect().bottom > edge + 4)?.textContent ?? "";
    });

/** Jumps up and down through all of a log: the time from each jump to the second frame after it, in milliseconds. */
async function scrolled(log: Locator) {
    return log.evaluate(async (frame) => {
        const took: number[] = [];
        let elements = 0;
        for (let step = 0; step < 60; step += 1) {
            const began = performance.now();
            frame.scrollTop = (frame.scrollHeight * ((step * 37) % 60)) / 60;
            await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
            took.push(performance.now() - began);
            elements = Math.max(elements, frame.querySelectorAll("*").length);
        }
        took.sort((a, b) => a - b);
        const blank = frame.querySelectorAll("[data-line]").length === 0;
        return { median: Math.round(took[30] ?? 0), worst: Math.round(took.at(-1) ?? 0), elements, blank };
    });
}

/** A job that prints so many lines, in one go, then as many as its gate file asks for. */
async function printer(name: string, count: number): Promise<string> {
    const gate = server.file(`${name}-gate`);
    const script = [
        `i=0; awk 'BEGIN { for (n = 1; n <= ${count}; n++) print "line " n " of many" }'`,
        `while [ ! -e ${gate}-end ]; do if [ -e ${gate} ]; then n=$(cat ${gate}); rm ${gate};`,
        `awk -v n=$n 'BEGIN { for (m = 1; m <= n; m++) print "later " m }'; fi; sleep 0.05; done`,
    ].join("\n");
    await server.applyShell(name, script, { timeout: "5m" });
    return gate;
}

test("100,000 lines: few elements, quick steps, bounded memory, nothing lost from the end", async () => {
    // Of several calls: one call's log is capped at 1 MiB.
    await server.applyShell(
        "flood",
        `awk -v n="$(cat)" 'BEGIN { for (m = 1; m <= 20000; m++) print n " line " m }'`,
    );
    await server.applyShell("little", `awk 'BEGIN { for (m = 1; m <= 1000; m++) print "call line " m }'`);
    const short = await server.invoke("little");
    await server.ended(short);
    const { page } = await visit(WIDE);
    await page.goto(`/n/default/logs?invocation=${short}`);
    await lines(page).getByText("call line 1000").waitFor();
    const little = await scrolled(lines(page));
    await page.goto("/n/default/logs?function=flood");
    await page.getByText("Live", { exact: true }).waitFor();
    for (let call = 1; call <= 6; call += 1) await server.ended(await server.invoke("flood", `call-${call}`));
    const log = lines(page);
    await page.getByText(/older lines left this view/).waitFor({ timeout: 60_000 });
    await log.getByText("call-6 line 20000").waitFor({ timeout: 60_000 });
    const kept = Number(/(\d+) lines/.exec(await page.locator("main").innerText())?.[1]);
    expect(kept).toBeLessThanOrEqual(100_000);
    expect(kept).toBeGreaterThan(90_000);
    const large = await scrolled(log);
    const message = `scroll steps: 1,000 lines ${JSON.stringify(little)}, ${kept} lines ${JSON.stringify(large)}`;
    process.stderr.write(`${message}\n`);
    expect(large.blank, message).toBe(false);
    expect(large.elements, message).toBeLessThan(1_500);
    // As smooth as a short log on the same machine at the same time.
    expect(large.median, message).toBeLessThan(3 * little.median + 50);
    // A search over all of them, and back to the end.
    await page.getByLabel("Search the log").fill("line 19999");
    await page.keyboard.press("Enter");
    await page.getByText(/^1 \/ \d+$/).waitFor();
    await log.locator("mark").first().waitFor();
    await page.getByRole("button", { name: "Follow new lines" }).click();
    await log.getByText("call-6 line 20000").waitFor();
});

test("it follows the end, stands still where one scrolls up, and goes on where one asks", async () => {
    const gate = await printer("talker", 300);
    const id = await server.invoke("talker");
    const { page } = await visit(WIDE);
    await page.goto(`/n/default/invocations/${id}`);
    const log = lines(page);
    await log.getByText("line 300 of many").waitFor();
    writeFileSync(gate, "50");
    await log.getByText("later 50").waitFor();
    await log.hover();
    await page.mouse.wheel(0, -2000);
    await page.getByRole("button", { name: "Follow new lines", pressed: false }).waitFor();
    const [seen, at] = [await firstInSight(log), await top(log)];
    writeFileSync(gate, "40");
    await page.getByText("390 lines").waitFor();
    expect([await firstInSight(log), await top(log)]).toEqual([seen, at]);
    // Paused: what comes is counted, not shown.
    await page.getByRole("button", { name: "Pause" }).click();
    writeFileSync(gate, "10");
    await page.getByText("Paused: 10 new lines").waitFor();
    expect(await firstInSight(log)).toBe(seen);
    await page.getByRole("button", { name: "Go on" }).click();
    await page.getByText("400 lines").waitFor();
    await page.getByRole("button", { name: "Follow new lines" }).click();
    await log.getByText("later 10", { exact: true }).last().waitFor();
    writeFileSync(`${gate}-end`, "");
});

test("search by keyboard: to the field, through the matches, and back to the lines", async () => {
    await server.applyShell("report", "for n in 1 2 3 4 5 6 7 8; do echo row $n; echo ERROR in $n >&2; done");
    const id = await server.invoke("report");
    await server.ended(id);
    const { page } = await visit(WIDE);
    await page.goto(`/n/default/invocations/${id}`);
    const log = lines(page);
    await log.getByText("row 8").waitFor();
    await log.focus();
    await page.keyboard.press("/");
    await page.keyboard.type("error");
    await page.keyboard.press("Enter");
    await page.getByText("1 / 8").waitFor();
    await page.keyboard.press("Shift+Enter");
    await page.getByText("8 / 8").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("n");
    await page.getByText("1 / 8").waitFor();
    await page.keyboard.press("t");
    await expect.poll(() => log.locator("time").count()).toBe(0);
    const text = log.locator("[data-line]").last().locator("span").last();
    const space = () => text.evaluate((line) => getComputedStyle(line).whiteSpace);
    expect(await space()).toBe("pre-wrap");
    await page.keyboard.press("w");
    expect(await space()).toBe("pre");
    // Upper and lower case.
    await page.keyboard.press("c");
    await page.getByText("none", { exact: true }).waitFor();
    expect(await accessibility(page)).toEqual([]);
});

test("colours of terminals are taken out, markup stays text, and the file has the text", async () => {
    const script = `printf '\\033[31mred\\033[0m <b>bold</b> \\033]0;title\\007end\\n'; printf '10%%\\r100%%\\n'`;
    await server.applyShell("colours", script);
    const id = await server.invoke("colours");
    await server.ended(id);
    const { page } = await visit(WIDE);
    await page.goto(`/n/default/invocations/${id}`);
    const log = lines(page);
    await log.getByText("red <b>bold</b> end", { exact: true }).waitFor();
    await log.getByText("100%", { exact: true }).waitFor();
    await page.keyboard.press("Tab");
    const [file] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Download as a file" }).click(),
    ]);
    expect(file.suggestedFilename()).toBe(`colours-${id}.log`);
    expect(readFileSync(await file.path(), "utf8")).toMatch(/ stdout red <b>bold<\/b> end\n.* 100%\n$/);
});

test("filters of the page of logs are in its address and hold for lines that come", async () => {
    await server.applyShell("two", "echo out; echo bad >&2");
    await server.ended(await server.invoke("two"));
    const { page } = await visit({ viewport: PHONE });
    await page.goto("/n/default/logs?function=two&stream=stderr");
    await settled(page);
    const log = lines(page);
    await log.getByText("bad").waitFor();
    await expect.poll(() => log.getByText("out", { exact: true }).count()).toBe(0);
    await server.applyShell("two", "echo out; echo worse >&2");
    const newer = await server.invoke("two");
    await server.ended(newer);
    await log.getByText("worse").waitFor();
    await page.getByLabel("Version").fill("2");
    await page.keyboard.press("Enter");
    await page.waitForURL(/version=2/);
    await log.getByText("worse").waitFor();
    await expect.poll(() => log.getByText("bad").count()).toBe(0);
    await log
        .getByRole("link", { name: newer.slice(-8) })
        .first()
        .click();
    await page.waitForURL(new RegExp(newer));
});
