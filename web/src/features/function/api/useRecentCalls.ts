import { useState } from "react";

import { clientOf } from "@/api/client";
import { WatchEventType } from "@/api/generated/eventflow/v1/function_service_pb";
import type { Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import {
    InvocationService,
    type WatchInvocationsResponse,
} from "@/api/generated/eventflow/v1/invocation_service_pb";
import { HEARTBEAT_TIMEOUT_MS } from "@/api/useFunctions";
import { useStream } from "@/lib/useStream";

/** The newest first; ids of calls sort by their time. */
export function withCall(calls: readonly Invocation[], told: Invocation, most: number): Invocation[] {
    const rest = calls.filter((call) => call.id !== told.id);
    const at = rest.findIndex((call) => call.id < told.id);
    const place = at < 0 ? rest.length : at;
    return [...rest.slice(0, place), told, ...rest.slice(place)].slice(0, most);
}

/** The last calls of a function, as they go on. */
export function useRecentCalls(namespace: string, name: string, most: number) {
    const [calls, setCalls] = useState<readonly Invocation[]>([]);
    const [synced, setSynced] = useState(false);
    const client = clientOf(InvocationService);
    const stream = useStream<WatchInvocationsResponse>({
        key: `${namespace}/${name}/${most}`,
        heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
        endsByItself: false,
        open: (signal, opened) =>
            client.watchInvocations(
                { namespace, function: name, snapshot: most },
                { signal, timeoutMs: 0, onHeader: opened },
            ),
        onMessage: ({ type, invocation }) => {
            if (invocation) setCalls((before) => withCall(before, invocation, most));
            else if (type === WatchEventType.SYNCED) setSynced(true);
        },
    });
    return { calls, synced, stream };
}
