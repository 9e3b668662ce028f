import { describe, expect, it } from "vitest";
import { Cursor } from "./cursor";
import { aLine } from "./testing";

describe("Cursor", () => {
    it("says where each call goes on", () => {
        const cursor = new Cursor();
        expect(cursor.after("call")).toBe("");
        cursor.take(aLine(7));
        cursor.take(aLine(1, "x", { attempt: 2 }));
        expect(cursor.after("call")).toBe("2:1");
    });

    it("lets no line through twice when a stream begins again with lines that were seen", () => {
        const cursor = new Cursor();
        const all = [1, 2, 3].map((seq) => aLine(seq));
        expect(all.map((line) => cursor.take(line))).toEqual([true, true, true]);
        expect([...all, aLine(4)].map((line) => cursor.take(line))).toEqual([false, false, false, true]);
    });

    it("takes the first line of a later attempt, and none of an earlier one", () => {
        const cursor = new Cursor();
        cursor.take(aLine(9));
        expect(cursor.take(aLine(1, "x", { attempt: 2 }))).toBe(true);
        expect(cursor.take(aLine(10))).toBe(false);
    });

    it("keeps calls apart", () => {
        const cursor = new Cursor();
        cursor.take(aLine(5, "x", { invocation: "a" }));
        expect(cursor.take(aLine(1, "x", { invocation: "b" }))).toBe(true);
    });

    it("tells lines between calls apart by time and text", () => {
        const cursor = new Cursor();
        const loose = (time: number, text: string) => aLine(0, text, { invocation: "", time });
        expect(cursor.take(loose(1, "a"))).toBe(true);
        expect(cursor.take(loose(1, "b"))).toBe(true);
        expect(cursor.take(loose(1, "a"))).toBe(false);
        expect(cursor.take(loose(2, "a"))).toBe(true);
    });

    it("knows the newest time", () => {
        const cursor = new Cursor();
        expect(cursor.lastTime).toBeUndefined();
        cursor.take(aLine(1, "x", { time: 50 }));
        cursor.take(aLine(2, "x", { time: 40 }));
        cursor.take(aLine(3, "x", { time: Number.NaN }));
        expect(cursor.lastTime).toBe(50);
    });
});
