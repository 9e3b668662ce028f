import { describe, expect, it } from "vitest";
import { LogBuffer } from "./buffer";
import { Matches, split } from "./search";
import { aLine, lines } from "./testing";

const query = (text: string, matchCase = false) => ({ text, matchCase });
const marked = (text: string, wanted: string, matchCase = false) =>
    split(text, query(wanted, matchCase))
        .map((part) => (part.hit ? `[${part.text}]` : part.text))
        .join("");

describe("split", () => {
    it.each([
        ["an Error, an error", "error", "an [Error], an [error]"],
        ["error", "error", "[error]"],
        ["nothing", "error", "nothing"],
        ["", "error", ""],
        ["aaa", "a", "[a][a][a]"],
        ["a.b", ".", "a[.]b"],
        ["<b>bold</b>", "<b>", "[<b>]bold</b>"],
        ["İstanbul failed", "failed", "İstanbul [failed]"],
        ["keep", "", "keep"],
    ])("%j searched for %j is %j", (text, wanted, expected) => {
        expect(marked(text, wanted)).toBe(expected);
    });

    it("heeds the case where asked", () => {
        expect(marked("Error error", "error", true)).toBe("Error [error]");
    });

    it("marks at most 500 places, and loses no text", () => {
        const text = "ab".repeat(5000);
        const parts = split(text, query("a"));
        expect(parts.filter((part) => part.hit).length).toBeLessThanOrEqual(500);
        expect(parts.map((part) => part.text).join("")).toBe(text);
    });
});

describe("Matches", () => {
    it("finds lines as they come, and forgets those that go", () => {
        const buffer = new LogBuffer({ lines: 16, chars: 1e6 });
        const matches = new Matches(query("line 1"));
        buffer.append(lines(1, 10));
        matches.update(buffer);
        expect(matches.found).toEqual([0, 9]);
        buffer.append(lines(11, 17));
        matches.update(buffer);
        expect(buffer.first).toBe(2);
        expect(matches.found).toEqual([9, 10, 11, 12, 13, 14, 15, 16]);
    });

    it("steps forwards and backwards, around the ends", () => {
        const buffer = new LogBuffer();
        buffer.append(lines(1, 30));
        const matches = new Matches(query("line 2"));
        matches.update(buffer);
        expect(matches.found.slice(0, 3)).toEqual([1, 19, 20]);
        expect([
            matches.step(1, 1),
            matches.step(28, 1),
            matches.step(1, -1),
            matches.step(19, -1),
            matches.step(-1, 1),
        ]).toEqual([19, 1, 28, 1, 1]);
        expect([matches.position(1), matches.position(20), matches.position(5)]).toEqual([1, 3, 0]);
    });

    it("has nothing to step to where nothing matches", () => {
        const matches = new Matches(query("zzz"));
        matches.update(new LogBuffer());
        expect([matches.step(0, 1), matches.step(0, -1)]).toEqual([undefined, undefined]);
    });

    it("looks through 100,000 lines within half a second", () => {
        const buffer = new LogBuffer();
        buffer.append(
            Array.from({ length: 100_000 }, (_, n) =>
                aLine(n, `2026-11-28 INFO request ${n} took ${n % 97} ms of the budget`),
            ),
        );
        const matches = new Matches(query("took 96 MS"));
        const began = performance.now();
        matches.update(buffer);
        expect(matches.found.length).toBe(1030);
        expect(performance.now() - began).toBeLessThan(500);
    });
});
