import { QueryClient } from "@tanstack/react-query";

import { isFinal } from "./errors";

/** The cache of what the server said. */
export const queryClient = new QueryClient({
    defaultOptions: {
        queries: {
            staleTime: 5_000,
            retry: (failures, error) => failures < 3 && !isFinal(error),
            retryDelay: (failures) => Math.min(500 * 2 ** failures, 5_000),
        },
        mutations: { retry: false },
    },
});
