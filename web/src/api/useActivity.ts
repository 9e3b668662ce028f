import { skipToken, useQuery, useQueryClient } from "@tanstack/react-query";

import { useStream } from "@/lib/useStream";
import type { StreamState } from "@/lib/stream";

import { clientOf } from "./client";
import { functionKey } from "./functions";
import type { FunctionActivity } from "./generated/eventflow/v1/function_pb";
import { FunctionService, type WatchStatsResponse } from "./generated/eventflow/v1/function_service_pb";
import { HEARTBEAT_TIMEOUT_MS } from "./useFunctions";

export type Activities = ReadonlyMap<string, FunctionActivity>;

const NONE: Activities = new Map();

/**
 * How the calls of functions go, as it changes; of one function where a name is given. A function that is not in it
 * was not called lately.
 */
export function useActivity(namespace: string, name = ""): { activity: Activities; stream: StreamState } {
    const cache = useQueryClient();
    const key = ["watch", "stats", namespace, name];
    const client = clientOf(FunctionService);
    const stream = useStream<WatchStatsResponse>({
        key: key.join(" "),
        heartbeatTimeoutMs: HEARTBEAT_TIMEOUT_MS,
        endsByItself: false,
        open: (signal, opened) =>
            client.watchStats({ namespace, function: name }, { signal, timeoutMs: 0, onHeader: opened }),
        onMessage: ({ functions }) => {
            if (functions.length === 0) return;
            cache.setQueryData<Activities>(key, (before = NONE) => {
                const after = new Map(before);
                functions.forEach((told) => after.set(functionKey(told.namespace, told.name), told));
                return after;
            });
        },
    });
    const { data } = useQuery<Activities>({
        queryKey: key,
        queryFn: skipToken,
        staleTime: Infinity,
        structuralSharing: false,
    });
    return { activity: data ?? NONE, stream };
}
