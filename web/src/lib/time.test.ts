import { expect, test } from "vitest";

import { bytesText, countText, percentText, plural } from "./numbers";
import { relativeText, spanText } from "./time";

test("spans are told with the unit that fits", () => {
    const told = [
        0, 0.04, 0.5, 1, 3.42, 12.3, 999.4, 999.6, 1234, 12_340, 59_940, 59_960, 125_000, 3_600_000,
        12_000_000, 200_000_000,
    ];
    expect(told.map(spanText)).toEqual([
        ...["0 µs", "40 µs", "500 µs", "1 ms", "3.4 ms", "12 ms", "999 ms", "1 s", "1.23 s", "12.3 s"],
        ...["59.9 s", "1 m", "2 m 5 s", "1 h", "3 h 20 m", "2 d 8 h"],
    ]);
});

test("times are told relative to now, in both directions, and as a date when they are old", () => {
    const now = Date.UTC(2026, 10, 28, 12);
    const at = (away: number) => relativeText(now + away, now);
    expect([-1000, -40_000, -180_000, 300_000, -7_200_000, -259_200_000].map(at)).toEqual([
        ...["just now", "40 s ago", "3 min ago", "in 5 min", "2 h ago", "3 d ago"],
    ]);
    expect(at(-90 * 86_400_000)).toContain("2026");
});

test("a share is never rounded up to a whole hundred", () => {
    expect([1, 0.99999, 0.9951, 0.5, 0.004, 0].map(percentText)).toEqual([
        ...["100 %", "99.9 %", "99.5 %", "50 %", "0.4 %", "0 %"],
    ]);
});

test("counts and sizes are short", () => {
    expect([0, 999, 1000, 1234, 34_500, 999_600, 5_600_000].map(countText)).toEqual([
        ...["0", "999", "1 k", "1.2 k", "35 k", "1 M", "5.6 M"],
    ]);
    expect([0, 1023, 4200, 2_621_440, 3 * 1024 ** 4].map(bytesText)).toEqual([
        ...["0 B", "1023 B", "4.1 KiB", "2.5 MiB", "3072 GiB"],
    ]);
    expect([plural(1, "call"), plural(2n, "call")]).toEqual(["1 call", "2 calls"]);
});
