import { durationMs, msOf } from "@/lib/time";
import type { Activities } from "@/api/useActivity";
import { functionKey, type EventFlowFunction } from "@/api/functions";
import type { FunctionActivity } from "@/api/generated/eventflow/v1/function_pb";
import type { Sort } from "@/components/Table";

/** A function with how its calls go. */
export type Row = { key: string; value: EventFlowFunction; activity: FunctionActivity | undefined };

export type Column = "name" | "state" | "calls" | "success" | "p50" | "p99" | "queue" | "last";

export const COLUMNS: readonly Column[] = [
    "name",
    "state",
    "calls",
    "success",
    "p50",
    "p99",
    "queue",
    "last",
];

export type Filters = { text: string; states: readonly string[]; runtimes: readonly string[] };

export function rowsOf(functions: readonly EventFlowFunction[], activity: Activities): Row[] {
    return functions.map((value) => {
        const key = functionKey(value.namespace, value.name);
        return { key, value, activity: activity.get(key) };
    });
}

/** The share of calls that ended well within the window of the figures; undefined without any. */
export function successRate({ activity }: Row): number | undefined {
    const stats = activity?.stats;
    if (!stats || stats.calls === 0n) return undefined;
    return 1 - Number(stats.failed) / Number(stats.calls);
}

/** Calls that wait: for their first attempt or for another one. */
export function waiting({ activity }: Row): number {
    const stats = activity?.stats;
    return stats ? Number(stats.queued + stats.retrying) : 0;
}

/** What is sorted by; undefined goes to the end, whatever the order. */
function sortValue(row: Row, by: Column): string | number | undefined {
    const stats = row.activity?.stats;
    switch (by) {
        case "name":
            return row.key;
        case "state":
            return row.value.state;
        case "calls":
            return row.activity?.callsPerMinute.reduce((sum, calls) => sum + calls, 0);
        case "success":
            return successRate(row);
        case "p50":
            return stats?.p50 && durationMs(stats.p50);
        case "p99":
            return stats?.p99 && durationMs(stats.p99);
        case "queue":
            return waiting(row);
        case "last":
            return stats?.lastCallTime && msOf(stats.lastCallTime);
    }
}

export function sorted(rows: readonly Row[], { by, down }: Sort<Column>): Row[] {
    const sign = down ? -1 : 1;
    return [...rows].sort((one, other) => {
        const [a, b] = [sortValue(one, by), sortValue(other, by)];
        if (a === b) return one.key < other.key ? -1 : 1;
        if (a === undefined) return 1;
        if (b === undefined) return -1;
        return a < b ? -sign : sign;
    });
}

/** Rows that the filters hold. The text is looked for in name, namespace and image. */
export function filtered(rows: readonly Row[], { text, states, runtimes }: Filters): Row[] {
    const wanted = text.trim().toLowerCase();
    return rows.filter(
        ({ value }) =>
            (wanted === "" ||
                [value.name, value.namespace, value.image].some((each) =>
                    each.toLowerCase().includes(wanted),
                )) &&
            (states.length === 0 || states.includes(String(value.state))) &&
            (runtimes.length === 0 || runtimes.includes(String(value.runtime))),
    );
}
