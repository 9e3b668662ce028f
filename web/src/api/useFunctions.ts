import { skipToken, useQuery, useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";

import { useStream } from "@/lib/useStream";
import type { StreamState } from "@/lib/stream";
import { ALL_NAMESPACES } from "@/paths";

import { clientOf } from "./client";
import {
    applyEvents,
    functionKey,
    NOTHING_WATCHED,
    type EventFlowFunction,
    type WatchedFunctions,
} from "./functions";
import { FunctionService, type WatchFunctionsResponse } from "./generated/eventflow/v1/function_service_pb";

type Watch = { watched: WatchedFunctions; stream: StreamState };

const KEY = ["watch", "functions"];
const CONNECTING: Watch = { watched: NOTHING_WATCHED, stream: { phase: "connecting" } };
/** The server says something every 15 s. */
export const HEARTBEAT_TIMEOUT_MS = 40_000;

/**
 * Follows all functions of the scope, a namespace or `-`, for as long as the caller is drawn. One stream serves all
 * pages: call it once, in the frame around them; pages read what it told with `useFunctions`.
 */
export function useWatchFunctions(scope: string, enabled: boolean) {
    const cache = useQueryClient();
    const pending = useRef<WatchFunctionsResponse[]>([]);
    const client = clientOf(FunctionService);
    const update = (change: (before: Watch) => Watch) =>
        cache.setQueryData<Watch>([...KEY, scope], (before) => change(before ?? CONNECTING));
    const flush = () => {
        const events = pending.current.splice(0);
        update((before) => ({ ...before, watched: applyEvents(before.watched, events) }));
    };
    useStream<WatchFunctionsResponse>({
        key: scope,
        enabled,
        heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
        endsByItself: false,
        open: (signal, opened) => {
            pending.current = [];
            const known = cache.getQueryData<Watch>([...KEY, scope])?.watched;
            // Without a whole snapshot there is no place to go on from.
            const resumeToken = known?.synced && !known.snapshot ? known.resumeToken : "";
            if (!resumeToken)
                update((before) => ({ ...before, watched: { ...before.watched, snapshot: new Map() } }));
            return client.watchFunctions(
                { namespace: scope, resumeToken },
                { signal, timeoutMs: 0, onHeader: opened },
            );
        },
        onMessage: (event) => {
            if (pending.current.push(event) === 1) setTimeout(flush, 30);
        },
        onState: (stream) => update((before) => ({ ...before, stream })),
    });
}

export type FunctionsView = {
    functions: readonly EventFlowFunction[];
    /** All functions of the scope were told; before that, an empty list says nothing. */
    synced: boolean;
    stream: StreamState;
};

function useWatch(namespace: string): Watch {
    const all = useQuery<Watch>({
        queryKey: [...KEY, ALL_NAMESPACES],
        queryFn: skipToken,
        staleTime: Infinity,
        gcTime: Infinity,
        structuralSharing: false,
    });
    const one = useQuery<Watch>({
        queryKey: [...KEY, namespace],
        queryFn: skipToken,
        staleTime: Infinity,
        gcTime: Infinity,
        structuralSharing: false,
    });
    return all.data ?? one.data ?? CONNECTING;
}

/** The functions of a namespace, or with `-` of all, as they are now. */
export function useFunctions(namespace: string): FunctionsView {
    const { watched, stream } = useWatch(namespace);
    const all = [...watched.known.values()];
    return {
        functions: namespace === ALL_NAMESPACES ? all : all.filter((each) => each.namespace === namespace),
        synced: watched.synced,
        stream,
    };
}

/** One function as it is now; undefined where it is not there, or not known yet. */
export function useFunction(namespace: string, name: string) {
    const { watched, stream } = useWatch(namespace);
    return { value: watched.known.get(functionKey(namespace, name)), synced: watched.synced, stream };
}
