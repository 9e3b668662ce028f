import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { clientOf } from "@/api/client";
import { WatchEventType } from "@/api/generated/eventflow/v1/function_service_pb";
import type { Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import {
    InvocationService,
    type WatchInvocationsResponse,
} from "@/api/generated/eventflow/v1/invocation_service_pb";
import { whyNot } from "@/api/query";
import { filterFields, filterToParams, holds, watchFilter, type Filter } from "@/lib/calls/filter";
import { countNewer, mergeRows, withChanges, type Changes } from "@/lib/calls/rows";
import type { StreamState } from "@/lib/stream";
import { useStream } from "@/lib/useStream";

export const PAGE_SIZE = 50;
const SILENCE_MS = 45_000;
/** Changes are shown this often: a busy function has thousands of them a second. */
const FLUSH_MS = 250;
/** So many are kept until then; the newest ones count. */
const MOST_WAITING = 5_000;

const client = clientOf(InvocationService);
const NONE: Changes = new Map();

export type Calls = {
    rows: Invocation[];
    /** Newer calls that a page further back does not show. */
    newer: number;
    /** The page behind this one; null on the last. */
    next: PagePlace | null;
    loading: boolean;
    error: unknown;
    refetch: () => void;
    state: StreamState;
};

/** Which page: a token is good for the same question only, so that "the last hour" counts back from the same time. */
export type PagePlace = { token: string; asOf: number | undefined };

/** A page of calls, kept up to date by the watch. */
export function useCalls(namespace: string, filter: Filter, { token, asOf }: PagePlace): Calls {
    const key = `${namespace}?${filterToParams(filter).toString()}`;
    const query = useQuery({
        queryKey: ["calls", key, token, asOf],
        queryFn: async ({ signal }) => {
            const now = asOf ?? Date.now();
            const page = { namespace, pageSize: PAGE_SIZE, pageToken: token };
            const read = await client.listInvocations({ ...filterFields(filter, now), ...page }, { signal });
            return { calls: read.invocations, next: read.nextPageToken, asOf: now };
        },
        placeholderData: keepPreviousData,
    });
    const { refetch } = query;
    const [changes, add] = useBatches(`${key} ${token}`);
    const state = useStream<WatchInvocationsResponse>({
        key,
        open: (signal, opened) =>
            client.watchInvocations(
                { namespace, function: filter.function, filter: watchFilter(filter, Date.now()) },
                { signal, timeoutMs: 0, onHeader: opened },
            ),
        onMessage: ({ type, invocation }) => {
            if (invocation) add(invocation);
            // What changed between reading and watching, or while the connection was lost.
            if (type === WatchEventType.SYNCED || type === WatchEventType.RESET) void refetch();
        },
        heartbeatTimeoutMs: SILENCE_MS,
        endsByItself: false,
    });
    const fits = (call: Invocation) => holds(filter, call, Date.now());
    const page = query.data?.calls ?? [];
    const first = token === "";
    const rows = mergeRows(page, changes, fits, { first, pageSize: PAGE_SIZE });
    // More came than is shown: the page is read anew before there is a gap.
    const crowded = first && rows.length >= page.length + PAGE_SIZE;
    useEffect(() => {
        if (crowded) void refetch();
    }, [crowded, refetch]);
    return {
        rows,
        newer: first ? 0 : countNewer(page, changes, fits),
        next: query.data?.next ? { token: query.data.next, asOf: query.data.asOf } : null,
        loading: query.isPending,
        error: whyNot(query),
        refetch: () => void refetch(),
        state,
    };
}

/** Collects changes and hands them on in batches; begins anew with another key. */
function useBatches(key: string): [Changes, (call: Invocation) => void] {
    const [kept, setKept] = useState({ key, changes: NONE });
    const waiting = useRef<Invocation[]>([]);
    const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
    useEffect(
        () => () => {
            clearTimeout(timer.current);
            timer.current = undefined;
            waiting.current = [];
        },
        [key],
    );
    const flush = () => {
        timer.current = undefined;
        const news = waiting.current;
        waiting.current = [];
        setKept((before) => ({
            key,
            changes: withChanges(before.key === key ? before.changes : NONE, news),
        }));
    };
    const add = (call: Invocation) => {
        waiting.current.push(call);
        if (waiting.current.length > MOST_WAITING) waiting.current.splice(0, MOST_WAITING / 2);
        timer.current ??= setTimeout(flush, FLUSH_MS);
    };
    return [kept.key === key ? kept.changes : NONE, add];
}
