import { createClient, createRouterTransport } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { WatchEventType } from "@/api/generated/eventflow/v1/function_service_pb";
import { InvocationService } from "@/api/generated/eventflow/v1/invocation_service_pb";

const questions: string[][] = [];
let broken = false;

/** A server that knows calls of which the id ends in a digit: it is their version. */
const transport = createRouterTransport(({ service }) => {
    service(InvocationService, {
        async *watchInvocations({ filter, snapshot }) {
            const ids = filter?.ids ?? [];
            expect(snapshot).toBe(ids.length);
            questions.push(ids);
            if (broken) throw new Error("lost");
            for (const id of ids) {
                const version = Number(id.at(-1));
                if (version > 0) yield { type: WatchEventType.CHANGED, invocation: { id, version } };
            }
            yield { type: WatchEventType.SYNCED };
            // It would go on; nobody should wait for that.
            await new Promise(() => undefined);
        },
    });
});

vi.mock("@/api/client", () => ({ clientOf: () => createClient(InvocationService, transport) }));
const { versionOfCall } = await import("./callVersions");

beforeEach(() => {
    broken = false;
});
afterEach(() => {
    questions.length = 0;
});

test("calls of one moment are looked up together, each once, and remembered", async () => {
    const ids = Array.from({ length: 50 }, (_, at) => `burst-${at}-${1 + (at % 3)}`);
    const versions = await Promise.all([...ids, ...ids].map((id) => versionOfCall("default", id)));
    expect(versions.slice(0, 4)).toEqual([1, 2, 3, 1]);
    expect(versions.slice(50)).toEqual(versions.slice(0, 50));
    expect(questions).toEqual([ids]);
    expect(await versionOfCall("default", "burst-1-2")).toBe(2);
    expect(questions).toHaveLength(1);
});

test("no question is about more calls than the server takes, nor about two namespaces", async () => {
    const asked = Array.from({ length: 1_001 }, (_, at) => versionOfCall("default", `flood-${at}-1`));
    asked.push(versionOfCall("other", "of-other-4"));
    expect((await Promise.all(asked)).at(-1)).toBe(4);
    expect(questions.map((ids) => ids.length).sort()).toEqual([1, 1, 1_000]);
});

test("a call that is not known any more has version 0, and a lost answer is asked for again", async () => {
    expect(await versionOfCall("default", "forgotten-x")).toBe(0);
    broken = true;
    expect(await versionOfCall("default", "again-7")).toBe(0);
    broken = false;
    expect(await versionOfCall("default", "again-7")).toBe(7);
});
