import type { Query } from "@/paths";

/** Which lines the page of logs shows; all of it is in the address. */
export type LogQuery = {
    /** Empty: of all functions of the namespace. */
    function: string;
    version: number;
    /** Of one call only. */
    invocation: string;
    stream: "" | "stdout" | "stderr" | "system";
    contains: string;
};

export const LOG_STREAMS = ["stdout", "stderr", "system"] as const;
/** What the server searches for at most, in bytes. */
const MOST_BYTES = 256;

export function logQueryFromParams(params: URLSearchParams): LogQuery {
    const text = (name: string) => params.get(name)?.trim().slice(0, 200) ?? "";
    const version = text("version");
    const contains = params.get("contains") ?? "";
    return {
        function: text("function"),
        version: /^[1-9]\d{0,8}$/.test(version) ? Number(version) : 0,
        invocation: text("invocation"),
        stream: LOG_STREAMS.find((stream) => stream === text("stream")) ?? "",
        contains: new TextEncoder().encode(contains).length <= MOST_BYTES ? contains : "",
    };
}

export function logQueryToQuery(query: LogQuery): Query {
    return {
        function: query.function,
        version: query.version > 0 ? String(query.version) : "",
        invocation: query.invocation,
        stream: query.stream,
        contains: query.contains,
    };
}
