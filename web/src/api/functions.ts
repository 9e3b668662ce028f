import type { Function as EventFlowFunction } from "./generated/eventflow/v1/function_pb";
import { WatchEventType, type WatchFunctionsResponse } from "./generated/eventflow/v1/function_service_pb";

export type { EventFlowFunction };

/** What a watch has told so far. `known` is replaced as a whole when a snapshot after a RESET is complete. */
export type WatchedFunctions = {
    known: ReadonlyMap<string, EventFlowFunction>;
    /** The snapshot that is being told; null outside of one. */
    snapshot: Map<string, EventFlowFunction> | null;
    /** A snapshot was complete at least once. */
    synced: boolean;
    resumeToken: string;
};

export const NOTHING_WATCHED: WatchedFunctions = {
    known: new Map(),
    snapshot: new Map(),
    synced: false,
    resumeToken: "",
};

export const functionKey = (namespace: string, name: string) => `${namespace}/${name}`;

/** Takes some events in, all at once, so that a thousand of them draw the page once. */
export function applyEvents(
    before: WatchedFunctions,
    events: readonly WatchFunctionsResponse[],
): WatchedFunctions {
    let { known, synced, resumeToken } = before;
    let snapshot = before.snapshot && new Map(before.snapshot);
    let changed: Map<string, EventFlowFunction> | null = null;
    const target = () => snapshot ?? (changed ??= new Map(known));
    for (const event of events) {
        if (event.resumeToken) resumeToken = event.resumeToken;
        const { function: told } = event;
        if (event.type === WatchEventType.CHANGED && told) {
            target().set(functionKey(told.namespace, told.name), told);
        } else if (event.type === WatchEventType.DELETED && told) {
            target().delete(functionKey(told.namespace, told.name));
        } else if (event.type === WatchEventType.RESET) {
            snapshot = new Map();
            changed = null;
        } else if (event.type === WatchEventType.SYNCED) {
            if (snapshot) known = snapshot;
            snapshot = null;
            synced = true;
        }
    }
    return { known: changed ?? known, snapshot, synced, resumeToken };
}
