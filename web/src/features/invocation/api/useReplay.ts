import { useMutation, useQuery } from "@connectrpc/connect-query";

import { FunctionService } from "@/api/generated/eventflow/v1/function_service_pb";
import { InvocationService } from "@/api/generated/eventflow/v1/invocation_service_pb";

export const useCancel = () => useMutation(InvocationService.method.cancelInvocation);
export const useReplay = () => useMutation(InvocationService.method.replayInvocation);

/** The function's versions, the newest first; none where it is gone. */
export function useVersions(namespace: string, name: string) {
    return useQuery(FunctionService.method.listVersions, { namespace, name }, { retry: false });
}

/** The calls that repeat this one. */
export function useReplays(namespace: string, replayOf: string) {
    return useQuery(InvocationService.method.listInvocations, { namespace, replayOf, pageSize: 20 });
}
