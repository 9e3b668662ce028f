import { describe, expect, it } from "vitest";
import { LogBuffer } from "./buffer";
import { aLine, lines } from "./testing";

describe("LogBuffer", () => {
    it("keeps all lines up to its limit, each under its own number", () => {
        const buffer = new LogBuffer({ lines: 100, chars: 1e6 });
        buffer.append(lines(1, 100));
        expect([buffer.first, buffer.end, buffer.length]).toEqual([0, 100, 100]);
        expect(buffer.at(99)?.seq).toBe(100);
        expect(buffer.at(100)).toBeUndefined();
    });

    it("drops the oldest lines over its limit; numbers stay", () => {
        const buffer = new LogBuffer({ lines: 160, chars: 1e6 });
        buffer.append(lines(1, 160));
        buffer.append(lines(161, 161));
        expect(buffer.length).toBe(150);
        expect(buffer.first).toBe(11);
        expect(buffer.at(10)).toBeUndefined();
        expect(buffer.at(11)?.seq).toBe(12);
        expect(buffer.at(160)?.seq).toBe(161);
    });

    it("is bounded in characters too", () => {
        const buffer = new LogBuffer({ lines: 1e6, chars: 10_000 });
        for (let seq = 1; seq <= 100; seq += 1) buffer.append([aLine(seq, "x".repeat(1000))]);
        expect(buffer.length).toBeLessThanOrEqual(9);
        expect(buffer.end).toBe(100);
        expect(buffer.at(99)?.seq).toBe(100);
    });

    it("never holds a single line larger than the limit", () => {
        const buffer = new LogBuffer({ lines: 10, chars: 100 });
        buffer.append([aLine(1, "x".repeat(1000))]);
        expect([buffer.length, buffer.first]).toEqual([0, 1]);
    });

    it("takes a million lines one by one in well under a second of work each hundred thousand", () => {
        const buffer = new LogBuffer();
        const line = aLine(1);
        const began = performance.now();
        for (let count = 0; count < 1_000_000; count += 1) buffer.append([line]);
        expect(performance.now() - began).toBeLessThan(10_000);
        expect(buffer.length).toBeLessThanOrEqual(100_000);
    });

    it("is empty after a clear and goes on numbering", () => {
        const buffer = new LogBuffer();
        buffer.append(lines(1, 5));
        buffer.clear();
        buffer.append(lines(6, 6));
        expect([buffer.first, buffer.length, buffer.at(5)?.seq]).toEqual([5, 1, 6]);
        expect([...buffer.values()].map((line) => line.seq)).toEqual([6]);
    });
});
