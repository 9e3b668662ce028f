import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import {
    AttemptSchema,
    InvocationSchema,
    InvocationState as State,
} from "@/api/generated/eventflow/v1/invocation_pb";
import { bars, timeline } from "./timeline";

const at = timestampFromMs;

function attempt(
    number: number,
    start: number,
    end?: number,
    rest: MessageInitShape<typeof AttemptSchema> = {},
) {
    const ended = end === undefined ? {} : { endTime: at(end) };
    return create(AttemptSchema, { number, startTime: at(start), ...ended, ...rest });
}

function shown(rest: MessageInitShape<typeof InvocationSchema>, now = 1000) {
    return timeline(create(InvocationSchema, { createTime: at(100), ...rest }), now).map(
        (step) =>
            `${step.key} ${step.from}-${step.to}${step.lasts ? "…" : ""}${step.until === undefined ? "" : ` until ${step.until}`}`,
    );
}

describe("timeline", () => {
    it("of a call that waits lasts until now", () => {
        expect(shown({ state: State.QUEUED })).toEqual(["queued 100-1000…"]);
    });

    it("says when a delayed call will start", () => {
        expect(shown({ state: State.QUEUED, notBeforeTime: at(5000) })).toEqual([
            "queued 100-1000… until 5000",
        ]);
    });

    it("of a call that runs", () => {
        expect(shown({ state: State.RUNNING, attempts: [attempt(1, 150)] })).toEqual([
            "queued 100-150",
            "attempt-1 150-1000…",
        ]);
    });

    it("shows the waits between attempts, and the end", () => {
        expect(
            shown({
                state: State.FAILED,
                endTime: at(700),
                attempts: [attempt(2, 500, 700), attempt(1, 150, 200)],
            }),
        ).toEqual([
            "queued 100-150",
            "attempt-1 150-200",
            "backoff-2 200-500",
            "attempt-2 500-700",
            "settled 700-700",
        ]);
    });

    it("of a call between two attempts tells the next try", () => {
        expect(
            shown({ state: State.RETRYING, notBeforeTime: at(1500), attempts: [attempt(1, 150, 200)] }),
        ).toEqual(["queued 100-150", "attempt-1 150-200", "backoff-next 200-1000… until 1500"]);
    });

    it("of a call cancelled while it waited has no attempt", () => {
        expect(shown({ state: State.CANCELLED, endTime: at(300) })).toEqual([
            "queued 100-300",
            "settled 300-300",
        ]);
    });

    it("of a call cancelled between two attempts ends with the wait", () => {
        expect(shown({ state: State.CANCELLED, endTime: at(300), attempts: [attempt(1, 150, 200)] })).toEqual(
            ["queued 100-150", "attempt-1 150-200", "backoff-2 200-300", "settled 300-300"],
        );
    });

    it("never runs backwards where clocks differ", () => {
        expect(shown({ state: State.SUCCEEDED, endTime: at(80), attempts: [attempt(1, 90, 80)] })).toEqual([
            "queued 100-100",
            "attempt-1 90-90",
            "settled 80-80",
        ]);
    });

    it("of a lost attempt without an end ends with the call", () => {
        expect(shown({ state: State.FAILED, endTime: at(300), attempts: [attempt(1, 150)] })[1]).toBe(
            "attempt-1 150-300",
        );
    });

    it("is empty where no time is told", () => {
        expect(timeline(create(InvocationSchema), 5)).toEqual([]);
    });
});

describe("bars", () => {
    it("fill the line, in proportion, each visible", () => {
        const steps = timeline(
            create(InvocationSchema, {
                createTime: at(0),
                endTime: at(1000),
                state: State.SUCCEEDED,
                attempts: [attempt(1, 500, 1000)],
            }),
            0,
        );
        expect(bars(steps)).toEqual([
            { left: 0, width: 50 },
            { left: 50, width: 50 },
            { left: 99.4, width: 0.6 },
        ]);
    });

    it("of a call without a length are whole", () => {
        const steps = timeline(create(InvocationSchema, { createTime: at(5), state: State.QUEUED }), 5);
        expect(bars(steps)).toEqual([{ left: 0, width: 100 }]);
    });
});
