import { create } from "@bufbuild/protobuf";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { LogLineSchema, LogStream } from "@/api/generated/eventflow/v1/logs_pb";
import { LogStore } from "./store";

const wire = (seq: number, text = `line ${seq}`) =>
    create(LogLineSchema, { invocationId: "call", attempt: 1, seq, stream: LogStream.STDERR, text });

describe("LogStore", () => {
    beforeEach(() => void vi.useFakeTimers());
    afterEach(() => void vi.useRealTimers());

    it("tells of many lines at once", () => {
        const store = new LogStore();
        const told = vi.fn();
        store.subscribe(told);
        for (let seq = 1; seq <= 100; seq += 1) store.take(wire(seq));
        expect([told.mock.calls.length, store.buffer.length]).toEqual([0, 0]);
        vi.advanceTimersByTime(100);
        expect([told.mock.calls.length, store.buffer.length, store.version()]).toEqual([1, 100, 1]);
    });

    it("does not wait for a late timer under a flood", () => {
        const store = new LogStore();
        for (let seq = 1; seq <= 5_000; seq += 1) store.take(wire(seq));
        expect(store.buffer.length).toBe(5_000);
    });

    it("takes no line twice", () => {
        const store = new LogStore();
        store.take(wire(1));
        store.flush();
        for (const seq of [1, 2]) store.take(wire(seq));
        store.flush();
        expect([...store.buffer.values()].map((line) => [line.seq, line.stream])).toEqual([
            [1, "stderr"],
            [2, "stderr"],
        ]);
        expect(store.cursor.after("call")).toBe("1:2");
    });

    it("keeps text only", () => {
        const store = new LogStore();
        store.take(wire(1, "\u001b[31m<img src=x onerror=alert(1)>\u001b[0m"));
        store.flush();
        expect(store.buffer.at(0)?.text).toBe("<img src=x onerror=alert(1)>");
    });
});
