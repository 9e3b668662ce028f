import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { useMemo, useRef } from "react";

import { clientOf } from "@/api/client";
import { FunctionService, type StreamLogsResponse } from "@/api/generated/eventflow/v1/function_service_pb";
import { LogStream } from "@/api/generated/eventflow/v1/logs_pb";
import type { StreamState } from "@/lib/stream";
import { useStream } from "@/lib/useStream";
import { versionOfCall } from "./callVersions";
import type { Stream } from "./line";
import { LogStore } from "./store";

export type FunctionLogQuery = {
    namespace: string;
    /** `-`: all functions of the namespace. */
    name: string;
    stream?: Stream | undefined;
    contains?: string;
    /** Lines of calls that run this version only; 0: of all. */
    version?: number;
    /** Lines to begin with, at most 10,000. */
    tail?: number;
};

const SILENCE_MS = 45_000;
/** After a loss it begins so much before the last line: lines of several calls do not come in the order of time. */
const OVERLAP_MS = 5_000;
const TAIL = 1_000;
const LONGEST_TAIL = 10_000;

const STREAMS = { stdout: LogStream.STDOUT, stderr: LogStream.STDERR, system: LogStream.SYSTEM };

const client = clientOf(FunctionService);

/** What a function prints, over all of its calls and between them; the store is a new one when the query changes. */
export function useFunctionLog(query: FunctionLogQuery): { store: LogStore; state: StreamState } {
    const key = JSON.stringify(query);
    // eslint-disable-next-line react-hooks/exhaustive-deps -- another query, another log
    const store = useMemo(() => new LogStore(), [key]);
    const sorting = useRef(Promise.resolve());
    const state = useStream<StreamLogsResponse>({
        key,
        open: (signal, opened) =>
            client.streamLogs(request(query, store.cursor.lastTime), {
                signal,
                timeoutMs: 0,
                onHeader: opened,
            }),
        onMessage: ({ line }) => {
            if (!line) return;
            if (!query.version) return store.take(line);
            // Lines say no version: it is looked up once for each call, and the order of lines is kept.
            const version = line.invocationId === "" ? 0 : versionOfCall(query.namespace, line.invocationId);
            sorting.current = sorting.current.then(async () => {
                if ((await version) === query.version) store.take(line);
            });
        },
        heartbeatTimeoutMs: SILENCE_MS,
        endsByItself: false,
    });
    return { store, state };
}

/** What the server is asked for: the last lines, or after a loss those since shortly before the last one. */
export function request(
    { namespace, name, stream, contains = "", tail = TAIL }: FunctionLogQuery,
    lastTime: number | undefined,
) {
    const wanted = { namespace, name, follow: true, contains, ...(stream && { stream: STREAMS[stream] }) };
    if (lastTime === undefined) return { ...wanted, tail };
    // Lines are timed to the nanosecond, the wire knows no fractions of one.
    const since = timestampFromMs(Math.floor(lastTime - OVERLAP_MS));
    return { ...wanted, tail: LONGEST_TAIL, since };
}
