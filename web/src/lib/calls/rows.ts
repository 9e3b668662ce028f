import { InvocationState, type Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import { hasEnded } from "./states";

/** What a watch told of calls since the page was read: the newest state of each. */
export type Changes = ReadonlyMap<string, Invocation>;

/** Changes kept beside a page; the oldest go first. */
export const MOST_CHANGES = 2000;

/** Whether `next` is later than `old`: what has ended never changes back, attempts only grow. */
export function isNewer(next: Invocation, old: Invocation | undefined): boolean {
    if (!old) return true;
    if (hasEnded(old.state) !== hasEnded(next.state)) return hasEnded(next.state);
    return progress(next) >= progress(old);
}

/** A wait comes before attempt number 1, and after each attempt. */
function progress({ attempt, state }: Invocation): number {
    return attempt * 2 + (state === InvocationState.RUNNING ? 0 : 1);
}

/** With the newer state of these calls; the same map where nothing is new. */
export function withChanges(changes: Changes, news: readonly Invocation[]): Changes {
    const next = new Map(changes);
    for (const call of news) {
        if (!isNewer(call, next.get(call.id))) continue;
        next.delete(call.id);
        next.set(call.id, call);
    }
    for (const id of next.keys()) {
        if (next.size <= MOST_CHANGES) break;
        next.delete(id);
    }
    return next;
}

/**
 * The rows of a page, brought up to date. On the first page calls that came since are put in front (ids sort by time), as
 * many as a page has; calls that no longer fit the filter go. Rows that were read stay, since the next page goes on
 * behind the last of them. Pages further back only change in place, so that nothing moves under the eye.
 */
export function mergeRows(
    page: readonly Invocation[],
    changes: Changes,
    fits: (call: Invocation) => boolean,
    options: { readonly first: boolean; readonly pageSize: number },
): Invocation[] {
    const read = new Set(page.map((call) => call.id));
    const current = page.map((call) => {
        const changed = changes.get(call.id);
        return changed && isNewer(changed, call) ? changed : call;
    });
    if (!options.first) return current;
    // Of a page that is full, older calls belong on the next one.
    const oldest = page.length >= options.pageSize ? (page.at(-1)?.id ?? "") : "";
    const added = [...changes.values()].filter(
        (call) => !read.has(call.id) && call.id > oldest && fits(call),
    );
    const newest = added.sort(newestFirst).slice(0, options.pageSize);
    return [...newest, ...current.filter(fits)].sort(newestFirst);
}

const newestFirst = (a: Invocation, b: Invocation) => (a.id < b.id ? 1 : a.id > b.id ? -1 : 0);

/** How many calls fit that are newer than a page further back shows. */
export function countNewer(
    page: readonly Invocation[],
    changes: Changes,
    fits: (call: Invocation) => boolean,
): number {
    const newest = page[0]?.id ?? "";
    return [...changes.values()].filter((call) => call.id > newest && fits(call)).length;
}
