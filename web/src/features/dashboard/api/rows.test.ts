import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";

import { functionKey } from "@/api/functions";
import {
    FunctionActivitySchema,
    FunctionSchema,
    FunctionState,
    Runtime,
} from "@/api/generated/eventflow/v1/function_pb";

import { filtered, rowsOf, sorted, successRate, waiting } from "./rows";

const functions = [
    create(FunctionSchema, {
        namespace: "a",
        name: "one",
        state: FunctionState.READY,
        runtime: Runtime.WASM,
        image: "artifact@sha256:ff",
    }),
    create(FunctionSchema, {
        namespace: "a",
        name: "two",
        state: FunctionState.PAUSED,
        runtime: Runtime.PROCESS,
    }),
    create(FunctionSchema, {
        namespace: "b",
        name: "three",
        state: FunctionState.READY,
        runtime: Runtime.CONTAINER,
        image: "nginx",
    }),
];
const activity = new Map([
    [
        functionKey("a", "one"),
        create(FunctionActivitySchema, {
            stats: { calls: 10n, failed: 1n, queued: 2n, retrying: 3n, p99: { seconds: 2n } },
            callsPerMinute: [4, 6],
        }),
    ],
    [
        functionKey("b", "three"),
        create(FunctionActivitySchema, {
            stats: { calls: 0n, p99: { seconds: 1n } },
            callsPerMinute: [0, 1],
        }),
    ],
]);
const rows = rowsOf(functions, activity);
const names = (found: typeof rows) => found.map((row) => row.value.name);
const ALL = { text: "", states: [], runtimes: [] };

test("figures come from what is told; without calls there is no rate", () => {
    expect(rows.map(successRate)).toEqual([0.9, undefined, undefined]);
    expect(rows.map(waiting)).toEqual([5, 0, 0]);
});

test("rows without a figure stay at the end, whichever way they are ordered", () => {
    expect(names(sorted(rows, { by: "p99", down: true }))).toEqual(["one", "three", "two"]);
    expect(names(sorted(rows, { by: "p99", down: false }))).toEqual(["three", "one", "two"]);
    expect(names(sorted(rows, { by: "calls", down: true }))).toEqual(["one", "three", "two"]);
    expect(names(sorted(rows, { by: "name", down: true }))).toEqual(["three", "two", "one"]);
});

test("filters are joined by and; the text is looked for in name, namespace and image", () => {
    expect(names(filtered(rows, { ...ALL, text: " NGINX " }))).toEqual(["three"]);
    expect(names(filtered(rows, { ...ALL, text: "o" }))).toEqual(["one", "two"]);
    expect(names(filtered(rows, { ...ALL, states: [String(FunctionState.READY)] }))).toEqual([
        "one",
        "three",
    ]);
    expect(
        names(
            filtered(rows, {
                text: "o",
                states: [String(FunctionState.READY)],
                runtimes: [String(Runtime.PROCESS)],
            }),
        ),
    ).toEqual([]);
});
