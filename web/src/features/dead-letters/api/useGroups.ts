import { keepPreviousData, useQuery } from "@tanstack/react-query";

import { clientOf } from "@/api/client";
import { WatchEventType } from "@/api/generated/eventflow/v1/function_service_pb";
import { type DeadLetterGroup, InvocationState } from "@/api/generated/eventflow/v1/invocation_pb";
import {
    InvocationService,
    type WatchInvocationsResponse,
} from "@/api/generated/eventflow/v1/invocation_service_pb";
import { whyNot } from "@/api/query";
import type { StreamState } from "@/lib/stream";
import { useStream } from "@/lib/useStream";
import { useThrottled } from "@/lib/useThrottled";

const SILENCE_MS = 45_000;
/** Groups are counted anew at most so often, however many calls fail. */
const RECOUNT_MS = 2_000;

const client = clientOf(InvocationService);

export type Which = { namespace: string; function: string; reason: string };

export type Groups = {
    groups: DeadLetterGroup[];
    loading: boolean;
    error: unknown;
    refetch: () => void;
    state: StreamState;
};

/** Dead letters in groups, counted anew when a call fails or leaves them. */
export function useGroups(which: Which): Groups {
    const query = useQuery({
        queryKey: ["dead-letters", which],
        queryFn: ({ signal }) => client.listDeadLetterGroups(which, { signal }),
        placeholderData: keepPreviousData,
    });
    const { refetch } = query;
    const recount = useThrottled(() => void refetch(), RECOUNT_MS);
    const { namespace, function: name, reason } = which;
    const filter = { function: name, reason, state: [InvocationState.FAILED] };
    const state = useStream<WatchInvocationsResponse>({
        key: JSON.stringify(which),
        open: (signal, opened) =>
            client.watchInvocations(
                { namespace, function: name, filter },
                { signal, timeoutMs: 0, onHeader: opened },
            ),
        onMessage: ({ type, invocation }) => {
            if (invocation?.state === InvocationState.FAILED) recount();
            if (type === WatchEventType.SYNCED || type === WatchEventType.RESET) void refetch();
        },
        heartbeatTimeoutMs: SILENCE_MS,
        endsByItself: false,
    });
    return {
        groups: query.data?.groups ?? [],
        loading: query.isPending,
        error: whyNot(query),
        refetch: () => void refetch(),
        state,
    };
}

export const LETTERS = 20;

/** The newest dead letters of a group; read anew when the group's count changes. */
export function useLetters(group: DeadLetterGroup, pages: number) {
    const { namespace, function: name, reason, count } = group;
    return useQuery({
        queryKey: ["letters", namespace, name, reason, String(count), pages],
        queryFn: ({ signal }) =>
            client.listInvocations(
                {
                    namespace,
                    function: name,
                    reason,
                    deadLetter: true,
                    pageSize: Math.min(LETTERS * pages, 1000),
                },
                { signal },
            ),
        placeholderData: keepPreviousData,
    });
}
