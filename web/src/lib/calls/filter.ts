import { create } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
    type Invocation,
    type InvocationFilter,
    InvocationFilterSchema,
    type InvocationSource,
    type InvocationState,
    type StartKind,
} from "@/api/generated/eventflow/v1/invocation_pb";
import type { Query } from "@/paths";
import { agoMillis } from "./since";
import { hasEnded, SOURCES, STARTS, STATES } from "./states";

/** Which calls are shown. All of it is in the URL, so that it can be shared and kept. */
export type Filter = {
    readonly states: readonly InvocationState[];
    readonly function: string;
    readonly version: number;
    readonly caller: string;
    readonly source: InvocationSource;
    readonly reason: string;
    readonly start: StartKind;
    readonly deadLetter: boolean | undefined;
    readonly replayOf: string;
    /** `15m`, `1h`, `7d`: moves with the clock. */
    readonly since: string;
    /** Fixed times in milliseconds. */
    readonly from: number | undefined;
    readonly to: number | undefined;
};

export const NO_FILTER: Filter = {
    states: [],
    function: "",
    version: 0,
    caller: "",
    source: 0,
    reason: "",
    start: 0,
    deadLetter: undefined,
    replayOf: "",
    since: "",
    from: undefined,
    to: undefined,
};

/** Texts longer than this are no names; they are passed over. */
const MAX_TEXT = 200;

/** Reads a filter from a URL; what makes no sense is passed over. */
export function filterFromParams(params: URLSearchParams): Filter {
    const text = (name: string) => {
        const value = params.get(name)?.trim() ?? "";
        return value.length <= MAX_TEXT ? value : "";
    };
    const since = text("since");
    const dead = params.get("dead");
    return {
        states: STATES.all.filter((state) =>
            params.getAll("state").some((word) => STATES.parse(word) === state),
        ),
        function: text("function"),
        version: positive(text("version")),
        caller: text("caller"),
        source: SOURCES.parse(text("source")) ?? 0,
        reason: text("reason"),
        start: STARTS.parse(text("start")) ?? 0,
        deadLetter: dead === "true" ? true : dead === "false" ? false : undefined,
        replayOf: text("replayOf"),
        since: agoMillis(since) === undefined ? "" : since,
        from: time(text("from")),
        to: time(text("to")),
    };
}

/** Writes a filter into a URL; `filterFromParams` reads the same one back. */
export function filterToParams(filter: Filter): URLSearchParams {
    const params = new URLSearchParams();
    for (const state of filter.states) params.append("state", STATES.word(state));
    const set = (name: string, value: string) => {
        if (value !== "") params.set(name, value);
    };
    set("function", filter.function);
    set("version", filter.version > 0 ? String(filter.version) : "");
    set("caller", filter.caller);
    set("source", SOURCES.word(filter.source));
    set("reason", filter.reason);
    set("start", STARTS.word(filter.start));
    set("dead", filter.deadLetter === undefined ? "" : String(filter.deadLetter));
    set("replayOf", filter.replayOf);
    set("since", filter.since);
    set("from", filter.from === undefined ? "" : new Date(filter.from).toISOString());
    set("to", filter.to === undefined ? "" : new Date(filter.to).toISOString());
    return params;
}

/** The same for `paths`. */
export function filterToQuery(filter: Filter): Query {
    const params = filterToParams(filter);
    return Object.fromEntries([...new Set(params.keys())].map((name) => [name, params.getAll(name)]));
}

/** The filter's fields as requests take them; `since` is counted back from `now`. */
export function filterFields(filter: Filter, now: number) {
    const ago = agoMillis(filter.since);
    const after = ago === undefined ? filter.from : Math.max(now - ago, filter.from ?? 0);
    return {
        function: filter.function,
        state: [...filter.states],
        version: filter.version,
        caller: filter.caller,
        source: filter.source,
        reason: filter.reason,
        start: filter.start,
        replayOf: filter.replayOf,
        ...(filter.deadLetter !== undefined && { deadLetter: filter.deadLetter }),
        ...(after !== undefined && { createdAfter: timestampFromMs(after) }),
        ...(filter.to !== undefined && { createdBefore: timestampFromMs(filter.to) }),
    };
}

/** The same as a message. */
export function filterToWire(filter: Filter, now: number): InvocationFilter {
    return create(InvocationFilterSchema, filterFields(filter, now));
}

/** Whether the server would list the call under this filter; for calls that a watch tells of. */
export function holds(filter: Filter, call: Invocation, now: number): boolean {
    const { createdAfter, createdBefore } = filterToWire(filter, now);
    const created = call.createTime ? timestampMs(call.createTime) : 0;
    return (
        (filter.states.length === 0 || filter.states.includes(call.state)) &&
        (filter.function === "" || filter.function === call.function) &&
        (filter.version === 0 || filter.version === call.version) &&
        (filter.caller === "" || filter.caller === call.caller) &&
        (!filter.source || filter.source === call.source) &&
        (filter.reason === "" || filter.reason === call.reason) &&
        (!filter.start || filter.start === call.start) &&
        (filter.deadLetter === undefined || filter.deadLetter === call.deadLetter) &&
        (filter.replayOf === "" || filter.replayOf === call.replayOf) &&
        (createdAfter === undefined || created >= timestampMs(createdAfter)) &&
        (createdBefore === undefined || created < timestampMs(createdBefore))
    );
}

export function isEmpty(filter: Filter): boolean {
    return filterToParams(filter).size === 0;
}

function positive(text: string): number {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : 0;
    return number > 0 ? number : 0;
}

function time(text: string): number | undefined {
    const millis = Date.parse(text);
    return Number.isNaN(millis) ? undefined : millis;
}

/**
 * What a watch is asked for. A call that changes may leave a filter by state, reason or start: the server tells of that
 * only where it told of the call before, so such filters are asked for only where nothing can leave them.
 */
export function watchFilter(filter: Filter, now: number): InvocationFilter {
    const settled =
        filter.states.length > 0 && filter.states.every(hasEnded) && filter.deadLetter === undefined;
    const stays = { ...filter, states: [], reason: "", start: 0, deadLetter: undefined };
    return filterToWire(settled ? filter : stays, now);
}
