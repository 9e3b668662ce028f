import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
    type Invocation,
    InvocationSchema,
    InvocationState as State,
} from "@/api/generated/eventflow/v1/invocation_pb";
import { type Changes, countNewer, isNewer, mergeRows, MOST_CHANGES, withChanges } from "./rows";

function call(
    id: string,
    state = State.QUEUED,
    rest: MessageInitShape<typeof InvocationSchema> = {},
): Invocation {
    return create(InvocationSchema, { id, state, ...rest });
}

const NONE: Changes = new Map();
const all = () => true;
const ids = (rows: readonly Invocation[]) =>
    rows.map((row) => `${row.id}${row.state === State.SUCCEEDED ? "✓" : ""}`);

describe("isNewer", () => {
    it("never takes an ended call back", () => {
        expect(isNewer(call("a", State.RUNNING), call("a", State.SUCCEEDED))).toBe(false);
        expect(isNewer(call("a", State.SUCCEEDED), call("a", State.RUNNING, { attempt: 1 }))).toBe(true);
    });

    it("never goes back to an earlier attempt", () => {
        expect(
            isNewer(call("a", State.RUNNING, { attempt: 1 }), call("a", State.RETRYING, { attempt: 2 })),
        ).toBe(false);
        expect(
            isNewer(call("a", State.RETRYING, { attempt: 2 }), call("a", State.RUNNING, { attempt: 2 })),
        ).toBe(true);
    });
});

describe("withChanges", () => {
    it("keeps the newest state of each call", () => {
        const changes = withChanges(NONE, [call("a", State.SUCCEEDED), call("a", State.RUNNING), call("b")]);
        expect(ids([...changes.values()])).toEqual(["a✓", "b"]);
    });

    it("is bounded", () => {
        const many = Array.from({ length: MOST_CHANGES + 10 }, (_, n) => call(String(n)));
        const changes = withChanges(NONE, many);
        expect([changes.size, changes.has("9"), changes.has("10")]).toEqual([MOST_CHANGES, false, true]);
    });
});

describe("mergeRows", () => {
    const page = [call("5"), call("4"), call("3")];
    const first = { first: true, pageSize: 3 };

    it("puts new calls in front and updates others in place", () => {
        const changes = withChanges(NONE, [call("6"), call("4", State.SUCCEEDED)]);
        expect(ids(mergeRows(page, changes, all, first))).toEqual(["6", "5", "4✓", "3"]);
    });

    it("leaves out what no longer fits", () => {
        const changes = withChanges(NONE, [call("4", State.SUCCEEDED), call("7", State.SUCCEEDED)]);
        const fits = (one: Invocation) => one.state !== State.SUCCEEDED;
        expect(ids(mergeRows(page, changes, fits, first))).toEqual(["5", "3"]);
    });

    it("puts no older call at the end of a full page", () => {
        const changes = withChanges(NONE, [call("1"), call("2")]);
        expect(ids(mergeRows(page, changes, all, first))).toEqual(["5", "4", "3"]);
        expect(ids(mergeRows(page, changes, all, { first: true, pageSize: 10 }))).toEqual([
            "5",
            "4",
            "3",
            "2",
            "1",
        ]);
    });

    it("adds at most a page, the newest of them, and keeps what was read", () => {
        const changes = withChanges(
            NONE,
            ["6", "9", "7", "8"].map((id) => call(id)),
        );
        expect(ids(mergeRows(page, changes, all, first))).toEqual(["9", "8", "7", "5", "4", "3"]);
    });

    it("moves nothing on a page further back", () => {
        const changes = withChanges(NONE, [call("6"), call("4", State.SUCCEEDED)]);
        const none = () => false;
        expect(ids(mergeRows(page, changes, none, { first: false, pageSize: 3 }))).toEqual(["5", "4✓", "3"]);
        expect(countNewer(page, changes, all)).toBe(1);
    });
});
