import { describe, expect, it } from "vitest";
import { fileName, logFile } from "./export";
import { aLine } from "./testing";

describe("logFile", () => {
    it("is the text alone", async () => {
        const file = logFile([aLine(1, "one"), aLine(2, "two")], 0, false);
        expect(await file.text()).toBe("one\ntwo\n");
        expect(file.type).toBe("text/plain;charset=utf-8");
    });

    it("has time, call, attempt and stream where asked", async () => {
        const file = logFile([aLine(1, "one", { time: 0, stream: "stderr", attempt: 3 })], 0, true);
        expect(await file.text()).toBe("1970-01-01T00:00:00.000Z call 3 stderr one\n");
    });

    it("says how many lines are missing", async () => {
        expect(await logFile([], 7, false).text()).toBe("# 7 older lines were dropped by the viewer\n");
    });

    it("holds every one of 100,000 lines", async () => {
        const file = logFile(
            Array.from({ length: 100_000 }, (_, n) => aLine(n)),
            0,
            false,
        );
        expect((await file.text()).split("\n").length).toBe(100_001);
    });
});

describe("fileName", () => {
    it.each([
        [["hello", "0190"], "hello-0190.log"],
        [["../../etc/passwd", ""], "etc-passwd.log"],
        [["<img src=x>"], "img-src-x-.log"],
        [[""], "logs.log"],
    ])("%j is %s", (parts, expected) => {
        expect(fileName(...parts)).toBe(expected);
    });
});
