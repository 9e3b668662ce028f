import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";

import { applyEvents, NOTHING_WATCHED } from "./functions";
import { WatchEventType, WatchFunctionsResponseSchema } from "./generated/eventflow/v1/function_service_pb";

const event = (type: WatchEventType, name?: string, resumeToken = "") =>
    create(WatchFunctionsResponseSchema, {
        type,
        resumeToken,
        ...(name && { function: { namespace: "default", name } }),
    });
const { CHANGED, DELETED, SYNCED, RESET, HEARTBEAT } = WatchEventType;
const names = (state: typeof NOTHING_WATCHED) => [...state.known.keys()];

test("a snapshot is shown once it is complete", () => {
    const half = applyEvents(NOTHING_WATCHED, [event(CHANGED, "a")]);
    expect(half.synced).toBe(false);
    expect(names(half)).toEqual([]);
    const whole = applyEvents(half, [event(CHANGED, "b"), event(SYNCED)]);
    expect(whole.synced).toBe(true);
    expect(names(whole)).toEqual(["default/a", "default/b"]);
});

test("changes and deletions after the snapshot are taken in, and the resume token goes on", () => {
    const synced = applyEvents(NOTHING_WATCHED, [event(CHANGED, "a"), event(SYNCED, undefined, "t1")]);
    const later = applyEvents(synced, [
        event(CHANGED, "b", "t2"),
        event(DELETED, "a", "t3"),
        event(HEARTBEAT),
    ]);
    expect(names(later)).toEqual(["default/b"]);
    expect(later.resumeToken).toBe("t3");
    expect(names(synced), "what was shown before is left alone").toEqual(["default/a"]);
});

test("after a reset the old functions stay until the new snapshot is complete, and what is gone goes then", () => {
    const synced = applyEvents(NOTHING_WATCHED, [event(CHANGED, "old"), event(SYNCED)]);
    const during = applyEvents(synced, [event(RESET), event(CHANGED, "new")]);
    expect(names(during)).toEqual(["default/old"]);
    expect(names(applyEvents(during, [event(SYNCED)]))).toEqual(["default/new"]);
});

test("events that change nothing leave the same map, so nothing is drawn again", () => {
    const synced = applyEvents(NOTHING_WATCHED, [event(CHANGED, "a"), event(SYNCED)]);
    expect(applyEvents(synced, [event(HEARTBEAT)]).known).toBe(synced.known);
});
