import { useQuery } from "@connectrpc/connect-query";
import { useEffect } from "react";

import type { EventFlowFunction } from "@/api/functions";
import { FunctionService } from "@/api/generated/eventflow/v1/function_service_pb";

/** In a cluster no watch tells what happens to copies: a page that is seen asks so often. */
const AGAIN_MS = 10_000;

/** A function with what only a single read tells: its warm copies and events. Read again when a watch tells of a change. */
export function useDetails(live: EventFlowFunction) {
    const { namespace, name } = live;
    const details = useQuery(
        FunctionService.method.getFunction,
        { namespace, name },
        { refetchInterval: AGAIN_MS },
    );
    const { refetch } = details;
    useEffect(() => {
        void refetch();
    }, [live, refetch]);
    return { ...details, value: details.data?.function };
}
