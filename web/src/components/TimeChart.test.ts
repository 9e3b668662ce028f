import { expect, test } from "vitest";

import { niceCeiling } from "@/lib/scale";

import { linePath } from "./TimeChart";

test("an axis ends at a round number that holds the largest value", () => {
    expect([0, 1, 3, 7, 12, 21, 99, 0.13].map(niceCeiling)).toEqual([1, 1, 5, 10, 20, 25, 100, 0.2]);
});

test("a line breaks where nothing is known, and a point alone is still seen", () => {
    const path = linePath([1, 2, undefined, 3, undefined], 10, (value) => value);
    expect(path).toBe("M5.0 1.0L15.0 2.0M31.7 3.0H38.3");
});
