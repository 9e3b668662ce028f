import { useMemo } from "react";

import { clientOf } from "@/api/client";
import {
    InvocationService,
    type StreamInvocationLogsResponse,
} from "@/api/generated/eventflow/v1/invocation_service_pb";
import { hasEnded } from "@/lib/calls/states";
import type { StreamState } from "@/lib/stream";
import { useStream } from "@/lib/useStream";
import { LogStore } from "./store";

/** The server breaks silence every 15 s; without a word for three times as long the connection is lost. */
const SILENCE_MS = 45_000;

const client = clientOf(InvocationService);

/** What exactly one call printed, followed until it has ended. Goes on behind the last line after a loss. */
export function useCallLog(namespace: string, id: string): { store: LogStore; state: StreamState } {
    // eslint-disable-next-line react-hooks/exhaustive-deps -- another call, another log
    const store = useMemo(() => new LogStore(), [namespace, id]);
    const state = useStream<StreamInvocationLogsResponse>({
        key: `${namespace}/${id}`,
        open: (signal, opened) => callLog(namespace, id, store.cursor.after(id), signal, opened),
        onMessage: ({ line }) => {
            if (line) store.take(line);
        },
        heartbeatTimeoutMs: SILENCE_MS,
        endsByItself: true,
    });
    return { store, state };
}

/** A server that stops ends its streams too: only after the end of the call there is no more to come. */
async function* callLog(
    namespace: string,
    id: string,
    after: string,
    signal: AbortSignal,
    opened: () => void,
) {
    const call = { namespace, id };
    yield* client.streamInvocationLogs(
        { ...call, follow: true, after },
        { signal, timeoutMs: 0, onHeader: opened },
    );
    const { invocation } = await client.getInvocation(call, { signal });
    if (invocation && !hasEnded(invocation.state))
        throw new Error("the server ended the stream before the call ended");
}
