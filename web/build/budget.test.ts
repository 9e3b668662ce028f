import { expect, test } from "vitest";

import { firstLoads, overspent } from "./budget";

const chunk = (fileName: string, code: string, imports: string[] = [], more = {}) => ({
    ...{ fileName, code, imports, isEntry: false, styles: [] },
    ...more,
});

/** Text that gzip cannot make much shorter. */
function noise(length: number): string {
    let state = 1;
    return Array.from({ length }, () => {
        state = (state * 48271) % 2147483647;
        return String.fromCharCode(33 + (state % 90));
    }).join("");
}

const LOADS = firstLoads(
    [
        chunk("entry.js", noise(4000), ["shared.js"], { isEntry: true, styles: ["app.css"] }),
        chunk("shared.js", noise(2000)),
        chunk("page.js", noise(1000), ["shared.js"], { styles: ["app.css", "page.css"] }),
    ],
    new Map([
        ["app.css", noise(3000)],
        ["page.css", noise(500)],
    ]),
);

test("a page's first load counts the entry, the page and what both import, each once", () => {
    const of = (page: string) => LOADS.find((load) => load.page === page);
    const [entry, page] = [of("entry.js")?.script ?? 0, of("page.js")?.script ?? 0];
    expect(LOADS[0]?.page).toBe("page.js");
    expect(entry).toBeGreaterThan(4500);
    expect(page - entry).toBeGreaterThan(700);
    expect(page - entry).toBeLessThan(1100);
});

test("styles and files are counted too, each once", () => {
    expect(LOADS[0]?.files).toBe(5);
    expect(LOADS[0]?.style).toBeGreaterThan(2500);
    expect(LOADS[0]?.style).toBeLessThan(3600);
});

test("chunks that import each other end", () => {
    const circle = [chunk("a.js", "a", ["b.js"], { isEntry: true }), chunk("b.js", "b", ["a.js"])];
    expect(firstLoads(circle, new Map())).toHaveLength(2);
});

test("each limit is told by the page that breaks it", () => {
    const loads = [{ page: "page.js", script: 251_000, style: 21_000, files: 41 }];
    const budget = { scriptKilobytes: 250, styleKilobytes: 20, files: 40 };
    expect(overspent(loads, budget)).toEqual([
        "page.js: 251.0 kB of script, more than 250 kB",
        "page.js: 21.0 kB of style, more than 20 kB",
        "page.js: 41 files, more than 40",
    ]);
    expect(overspent(loads, { scriptKilobytes: 251, styleKilobytes: 21, files: 41 })).toEqual([]);
});
