import { createConnectQueryKey, useQuery, useTransport } from "@connectrpc/connect-query";
import { useQueryClient } from "@tanstack/react-query";

import { clientOf } from "@/api/client";
import { whyNot } from "@/api/query";
import type { Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import {
    InvocationService,
    type WatchInvocationsResponse,
} from "@/api/generated/eventflow/v1/invocation_service_pb";
import { hasEnded } from "@/lib/calls/states";
import type { StreamState } from "@/lib/stream";
import { useStream } from "@/lib/useStream";

const SILENCE_MS = 45_000;

const client = clientOf(InvocationService);

export type Call = {
    invocation: Invocation | undefined;
    error: unknown;
    refetch: () => void;
    state: StreamState;
};

/** The record of one call. It is read again whenever the watch tells of a change, never by the clock. */
export function useCall(namespace: string, id: string): Call {
    const queryClient = useQueryClient();
    const transport = useTransport();
    const input = { namespace, id };
    const query = useQuery(InvocationService.method.getInvocation, input);
    const invocation = query.data?.invocation;
    const ended = invocation !== undefined && hasEnded(invocation.state);
    const refetch = () =>
        void queryClient.invalidateQueries({
            queryKey: createConnectQueryKey({
                schema: InvocationService.method.getInvocation,
                input,
                transport,
                cardinality: "finite",
            }),
        });
    const state = useStream<WatchInvocationsResponse>({
        key: `${namespace}/${id}`,
        // The last change is told before the stream ends; after it there is none.
        enabled: invocation !== undefined && !ended,
        open: (signal, opened) =>
            client.watchInvocations(
                { namespace: namespace || "-", id },
                { signal, timeoutMs: 0, onHeader: opened },
            ),
        onMessage: (message) => {
            // Attempts are in the record only.
            if (message.invocation?.id === id) refetch();
        },
        onState: (next) => {
            // What happened while the connection was lost.
            if (next.phase === "live") refetch();
        },
        heartbeatTimeoutMs: SILENCE_MS,
        endsByItself: false,
    });
    return {
        invocation,
        error: whyNot(query),
        refetch,
        state: ended ? { phase: "ended" } : state,
    };
}
