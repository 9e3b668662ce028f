import { expect, test } from "vitest";

import { firstLoads } from "./budget";

const chunk = (fileName: string, code: string, imports: string[] = [], isEntry = false) => ({
    fileName,
    code,
    imports,
    isEntry,
});

/** Text that gzip cannot make much shorter. */
function noise(length: number): string {
    let state = 1;
    return Array.from({ length }, () => {
        state = (state * 48271) % 2147483647;
        return String.fromCharCode(33 + (state % 90));
    }).join("");
}

test("a page's first load counts the entry, the page and what both import, each once", () => {
    const loads = firstLoads([
        chunk("entry.js", noise(4000), ["shared.js"], true),
        chunk("shared.js", noise(2000)),
        chunk("page.js", noise(1000), ["shared.js"]),
    ]);
    const bytes = Object.fromEntries(loads.map((load) => [load.page, load.bytes]));
    const entry = bytes["entry.js"] ?? 0;
    const page = bytes["page.js"] ?? 0;
    expect(loads[0]?.page).toBe("page.js");
    expect(entry).toBeGreaterThan(4500);
    expect(page - entry).toBeGreaterThan(700);
    expect(page - entry).toBeLessThan(1100);
});

test("chunks that import each other end", () => {
    const loads = firstLoads([chunk("a.js", "a", ["b.js"], true), chunk("b.js", "b", ["a.js"])]);
    expect(loads).toHaveLength(2);
});
