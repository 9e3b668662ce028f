import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it, vi } from "vitest";

import { InvocationFilterSchema } from "@/api/generated/eventflow/v1/invocation_pb";
import { type Batch, type BulkRequest, frozen, runBulk } from "./bulk";

const request = (rest: Partial<BulkRequest> = {}): BulkRequest => ({
    namespace: "default",
    filter: create(InvocationFilterSchema, { function: "resize" }),
    version: 0,
    rate: 0,
    ...rest,
});

function server(batches: Batch[]) {
    const asked: BulkRequest[] = [];
    const waits: number[] = [];
    return {
        asked,
        waits,
        steps: {
            act: (one: BulkRequest) => {
                asked.push(one);
                return Promise.resolve(batches[asked.length - 1] ?? { count: 0n, more: false });
            },
            wait: (ms: number) => {
                waits.push(ms);
                return Promise.resolve();
            },
        },
    };
}

const { signal } = new AbortController();

describe("runBulk", () => {
    it("asks again until there are no more, and adds up", async () => {
        const { steps, asked, waits } = server([
            { count: 1000n, more: true, ids: ["a"] },
            { count: 7n, more: false, ids: ["b"] },
        ]);
        const told = vi.fn();
        await runBulk(request(), steps, signal, told);
        expect(told.mock.calls.map(([progress]) => progress as unknown)).toEqual([
            { done: 1000, ids: ["a"], finished: false },
            { done: 1007, ids: ["a", "b"], finished: true },
        ]);
        expect([asked.length, waits]).toEqual([2, []]);
    });

    it("keeps to the rate between two batches", async () => {
        const { steps, waits } = server([
            { count: 1000n, more: true },
            { count: 1n, more: false },
        ]);
        await runBulk(request({ rate: 50 }), steps, signal, () => undefined);
        expect(waits).toEqual([20_000]);
    });

    it("goes on before the oldest that was looked at, where the server tells it", async () => {
        const { steps, asked } = server([{ count: 1n, more: true, oldestTime: timestampFromMs(5) }]);
        await runBulk(request(), steps, signal, () => undefined);
        const before = asked.map((one) => one.filter.createdBefore && timestampMs(one.filter.createdBefore));
        expect(before).toEqual([undefined, 5]);
    });

    it("does not ask for ever where nothing moves", async () => {
        const { steps, asked } = server(Array.from({ length: 50 }, () => ({ count: 0n, more: true })));
        const end = await runBulk(request(), steps, signal, () => undefined);
        expect([asked.length, end.finished]).toEqual([1, true]);
    });

    it("stops where it is told to", async () => {
        const life = new AbortController();
        const { steps, asked } = server(Array.from({ length: 50 }, () => ({ count: 1n, more: true })));
        await expect(
            runBulk(
                request(),
                steps,
                life.signal,
                ({ done }) => done === 3 && life.abort(new Error("stopped")),
            ),
        ).rejects.toThrow("stopped");
        expect(asked.length).toBe(3);
    });
});

describe("frozen", () => {
    it("leaves out calls that are made later", () => {
        const filter = frozen(request().filter, 99);
        expect(filter.createdBefore && timestampMs(filter.createdBefore)).toBe(99);
    });

    it("keeps an earlier bound, and the filter that it was given", () => {
        const given = create(InvocationFilterSchema, { createdBefore: timestampFromMs(5) });
        const filter = frozen(given, 99);
        expect(filter.createdBefore && timestampMs(filter.createdBefore)).toBe(5);
        expect(request().filter.createdBefore).toBeUndefined();
    });
});
