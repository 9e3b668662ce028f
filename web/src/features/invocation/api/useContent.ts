import { useQuery } from "@tanstack/react-query";

import { rest } from "@/api/client";
import { restError } from "@/api/errors";

export type Part = "payload" | "result";

export type Bytes = { bytes: Uint8Array<ArrayBuffer>; contentType: string };

/** Larger bodies are read only when somebody asks for them. */
export const READ_AT_ONCE = 1024 * 1024;

/** Reads a call's bytes as they were. Over REST: it sends them in pieces, grpc-web only as one message. */
export async function readPart(
    namespace: string,
    id: string,
    part: Part,
    signal?: AbortSignal,
): Promise<Bytes> {
    const of = namespace === "" ? "" : `namespaces/${encodeURIComponent(namespace)}/`;
    const path = `/v1/${of}invocations/${encodeURIComponent(id)}/${part}`;
    const response = await rest(path, { ...(signal && { signal }) });
    // A result is answered with the function's own status; only EventFlow's errors are problems.
    const contentType = response.headers.get("Content-Type") ?? "";
    if (!response.ok && contentType.startsWith("application/problem+json")) throw await restError(response);
    return { bytes: new Uint8Array(await response.arrayBuffer()), contentType };
}

/** What was recorded never changes: it is read once. */
export function useContent(namespace: string, id: string, part: Part, enabled: boolean) {
    return useQuery({
        queryKey: ["content", namespace, id, part],
        queryFn: ({ signal }) => readPart(namespace, id, part, signal),
        enabled,
        staleTime: Infinity,
        gcTime: 60_000,
    });
}
