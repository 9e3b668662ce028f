import { QueryClient } from "@tanstack/react-query";

import { isFinal, problemOf } from "./errors";

/** The cache of what the server said. */
export const queryClient = new QueryClient({
    defaultOptions: {
        queries: {
            staleTime: 5_000,
            // A server that is down is waited for: a page opened meanwhile comes by itself.
            retry: (failures, error) => !isFinal(error) && (failures < 3 || problemOf(error).unreachable),
            retryDelay: (failures) => Math.min(500 * 2 ** failures, 5_000),
        },
        mutations: { retry: false },
    },
});

/** Why a read has nothing to show: for good, or so far while it is tried again. */
export function whyNot(query: { data: unknown; error: unknown; failureReason: unknown }): unknown {
    if (query.data !== undefined) return null;
    const { failureReason } = query;
    return (
        query.error ?? (failureReason !== null && problemOf(failureReason).unreachable ? failureReason : null)
    );
}
