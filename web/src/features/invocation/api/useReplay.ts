import { useMutation, useQuery } from "@connectrpc/connect-query";

import { clientOf } from "@/api/client";
import { FunctionService, WatchEventType } from "@/api/generated/eventflow/v1/function_service_pb";
import {
    InvocationService,
    type WatchInvocationsResponse,
} from "@/api/generated/eventflow/v1/invocation_service_pb";
import { useStream } from "@/lib/useStream";

const SILENCE_MS = 45_000;

const client = clientOf(InvocationService);

export const useCancel = () => useMutation(InvocationService.method.cancelInvocation);
export const useReplay = () => useMutation(InvocationService.method.replayInvocation);

/** The function's versions, the newest first; none where it is gone. */
export function useVersions(namespace: string, name: string) {
    return useQuery(FunctionService.method.listVersions, { namespace, name }, { retry: false });
}

/** The calls that repeat this one, as they come and go on. */
export function useReplays(namespace: string, replayOf: string) {
    const query = useQuery(InvocationService.method.listInvocations, { namespace, replayOf, pageSize: 20 });
    useStream<WatchInvocationsResponse>({
        key: `${namespace}/${replayOf}`,
        open: (signal, opened) =>
            client.watchInvocations(
                { namespace, filter: { replayOf } },
                { signal, timeoutMs: 0, onHeader: opened },
            ),
        onMessage: ({ type, invocation }) => {
            if (invocation?.replayOf === replayOf || type === WatchEventType.SYNCED) void query.refetch();
        },
        heartbeatTimeoutMs: SILENCE_MS,
        endsByItself: false,
    });
    return query;
}
