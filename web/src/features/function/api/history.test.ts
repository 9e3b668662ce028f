import { expect, test } from "vitest";

import { readHistory, remember } from "./history";

const sent = (text: string, at = 1) => ({
    at,
    kind: "json" as const,
    text,
    contentType: "application/json",
    id: "i",
});

test("the last payload comes first, and the same one is there once", () => {
    remember("default", "f", sent("a"));
    remember("default", "f", sent("b"));
    remember("default", "f", sent("a", 3));
    expect(readHistory("default", "f").map((each) => each.text)).toEqual(["a", "b"]);
    expect(readHistory("default", "other")).toEqual([]);
});

test("it is bounded: twenty payloads, and none that is too long", () => {
    for (let at = 0; at < 30; at++) remember("default", "f", sent(String(at)));
    remember("default", "f", sent("x".repeat(40_000)));
    const texts = readHistory("default", "f").map((each) => each.text);
    expect(texts).toHaveLength(20);
    expect(texts[0]).toBe("29");
});

test("what somebody else wrote there is not taken", () => {
    sessionStorage.setItem("eventflow.payloads default/f", '[{"text": 5}, null, "x"]');
    expect(readHistory("default", "f")).toEqual([]);
});
