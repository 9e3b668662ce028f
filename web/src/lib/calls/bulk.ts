import { clone } from "@bufbuild/protobuf";
import { timestampFromMs, type Timestamp } from "@bufbuild/protobuf/wkt";

import { type InvocationFilter, InvocationFilterSchema } from "@/api/generated/eventflow/v1/invocation_pb";

export type BulkKind = "cancel" | "replay" | "redrive" | "discard";

export type BulkRequest = {
    namespace: string;
    filter: InvocationFilter;
    /** 0: the current version of each function. Replay and redrive only. */
    version: number;
    /** New calls a second; 0: at once. Replay and redrive only. */
    rate: number;
};

/** One answer of the server: at most a thousand calls. */
export type Batch = { count: bigint; more: boolean; ids?: string[]; oldestTime?: Timestamp | undefined };

export type BulkSteps = {
    act: (request: BulkRequest, signal: AbortSignal) => Promise<Batch>;
    wait: (ms: number, signal: AbortSignal) => Promise<void>;
};

export type Progress = {
    /** Calls acted on so far. */
    done: number;
    /** New calls that were made. */
    ids: string[];
    finished: boolean;
};

/** Ids of new calls that are remembered, to show what becomes of them. */
const MOST_IDS = 5_000;

/**
 * The same calls however long the action takes: those made after `now` are left out. A call that is redriven and fails
 * again would be redriven for ever otherwise.
 */
export function frozen(filter: InvocationFilter, now: number): InvocationFilter {
    const copy = clone(InvocationFilterSchema, filter);
    copy.createdBefore ??= timestampFromMs(now);
    return copy;
}

/** Acts on all calls of the filter, a thousand at a time, until there are no more or `signal` is aborted. */
export async function runBulk(
    request: BulkRequest,
    steps: BulkSteps,
    signal: AbortSignal,
    onProgress: (progress: Progress) => void,
): Promise<Progress> {
    let progress: Progress = { done: 0, ids: [], finished: false };
    let filter = request.filter;
    for (;;) {
        signal.throwIfAborted();
        const batch = await steps.act({ ...request, filter }, signal);
        progress = {
            done: progress.done + Number(batch.count),
            ids: [...progress.ids, ...(batch.ids ?? [])].slice(0, MOST_IDS),
            // More without any progress would never end.
            finished: !batch.more || (batch.count === 0n && !batch.oldestTime),
        };
        onProgress(progress);
        if (progress.finished) return progress;
        if (batch.oldestTime) {
            filter = clone(InvocationFilterSchema, filter);
            filter.createdBefore = batch.oldestTime;
        }
        // The rate holds within a batch; the next one begins when this one's calls have started.
        if (request.rate > 0) await steps.wait((Number(batch.count) / request.rate) * 1000, signal);
    }
}

/** Resolves after so long; rejects when the signal is aborted. */
export function wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
        const stop = () => {
            clearTimeout(timer);
            reject(signal.reason instanceof Error ? signal.reason : new Error("stopped"));
        };
        const timer = setTimeout(() => {
            signal.removeEventListener("abort", stop);
            resolve();
        }, ms);
        signal.addEventListener("abort", stop, { once: true });
    });
}
