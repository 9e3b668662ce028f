import { InvocationState, StartKind } from "@/api/generated/eventflow/v1/invocation_pb";
import { type Filter, filterToParams, NO_FILTER } from "./filter";

export type Quick = { readonly label: string; readonly filter: Filter };

/** Filters that people ask for most. */
export const QUICK: readonly Quick[] = [
    {
        label: "Failed in the last hour",
        filter: { ...NO_FILTER, states: [InvocationState.FAILED], since: "1h" },
    },
    { label: "Running now", filter: { ...NO_FILTER, states: [InvocationState.RUNNING] } },
    {
        label: "Waiting",
        filter: { ...NO_FILTER, states: [InvocationState.QUEUED, InvocationState.RETRYING] },
    },
    { label: "Cold starts today", filter: { ...NO_FILTER, start: StartKind.COLD, since: "24h" } },
];

/** Filters that the person kept; in this browser only. */
export const SAVED_KEY = "eventflow.invocations.saved";
const MOST_SAVED = 20;

export type Saved = { readonly name: string; readonly query: string };

/** Reads what was kept; what is not understood is passed over. */
export function readSaved(text: string | null): Saved[] {
    let value: unknown;
    try {
        value = JSON.parse(text ?? "[]");
    } catch {
        return [];
    }
    return Array.isArray(value) ? value.filter(isSaved).slice(0, MOST_SAVED) : [];
}

/** With one more, or one of the same name replaced; the oldest goes where there are too many. */
export function withSaved(saved: readonly Saved[], name: string, filter: Filter): Saved[] {
    const query = filterToParams(filter).toString();
    return [...saved.filter((one) => one.name !== name), { name, query }].slice(-MOST_SAVED);
}

function isSaved(value: unknown): value is Saved {
    return (
        typeof value === "object" &&
        value !== null &&
        "name" in value &&
        typeof value.name === "string" &&
        value.name.length <= 60 &&
        "query" in value &&
        typeof value.query === "string" &&
        value.query.length <= 2000
    );
}
