import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

declare global {
    interface Window {
        axe?: { run: (context: Document, options: unknown) => Promise<AxeResults> };
    }
}

/** What breaks WCAG 2.2 AA on the page, one line for each element. */
export async function accessibility(page: Page): Promise<string[]> {
    if (!(await page.evaluate(() => window.axe !== undefined))) await page.evaluate(AXE);
    const results = await page.evaluate(async (rules) => {
        const runOnly = { type: "tag", values: rules };
        return window.axe?.run(document, {
            runOnly,
            resultTypes: ["violations"],
            iframes: false,
            preload: false,
        });
    }, RULES);
    if (results === undefined) throw new Error("axe did not run");
    return results.violations.flatMap((violation) =>
        violation.nodes.map((node) => `${violation.id}: ${node.html.slice(0, 160)} (${violation.help})`),
    );
}

/** How many pixels the page is wider than its window; where it is, the elements that stick out. */
export async function sticksOut(page: Page): Promise<string[]> {
    return page.evaluate(() => {
        const width = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= width) return [];
        const wide = [...document.body.querySelectorAll("*")].filter((element) => {
            const box = element.getBoundingClientRect();
            return box.width > 0 && box.right > width + 1;
        });
        return wide.slice(-3).map((element) => element.outerHTML.slice(0, 160));
    });
}

/** Waits until nothing says any more that it loads. */
export async function settled(page: Page): Promise<void> {
    await page.waitForFunction(
        () =>
            document.querySelector("h1") !== null &&
            document.querySelector('[role="status"][aria-label^="Loading"], [aria-busy="true"]') === null,
    );
}

/** Colours as after a press on the button for them. */
export async function theme(page: Page, wanted: "dark" | "light"): Promise<void> {
    await page.evaluate(async (value) => {
        document.documentElement.dataset["theme"] = value;
        // Half-way from one colour to another is no contrast to measure.
        const fading = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
        await Promise.all(fading.map((transition) => transition.finished.catch(() => undefined)));
    }, wanted);
}
