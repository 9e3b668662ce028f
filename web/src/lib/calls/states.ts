import { InvocationSource, InvocationState, StartKind } from "@/api/generated/eventflow/v1/invocation_pb";

/** The words for one enum: as they are in a URL and in the CLI, in the order in which they are offered. */
export type Words<E extends number> = {
    readonly all: readonly E[];
    readonly word: (value: E) => string;
    readonly parse: (word: string) => E | undefined;
};

function words<E extends number>(pairs: readonly (readonly [E, string])[]): Words<E> {
    const byValue = new Map<E, string>(pairs);
    const byWord = new Map<string, E>(pairs.map(([value, word]) => [word, value]));
    return {
        all: pairs.map(([value]) => value),
        word: (value) => byValue.get(value) ?? "",
        parse: (word) => byWord.get(word.toLowerCase()),
    };
}

export const STATES = words<InvocationState>([
    [InvocationState.QUEUED, "queued"],
    [InvocationState.RUNNING, "running"],
    [InvocationState.RETRYING, "retrying"],
    [InvocationState.SUCCEEDED, "succeeded"],
    [InvocationState.FAILED, "failed"],
    [InvocationState.CANCELLED, "cancelled"],
]);

export const SOURCES = words<InvocationSource>([
    [InvocationSource.ASYNC, "async"],
    [InvocationSource.SYNC, "sync"],
    [InvocationSource.URL, "url"],
    [InvocationSource.REPLAY, "replay"],
]);

export const STARTS = words<StartKind>([
    [StartKind.COLD, "cold"],
    [StartKind.WARM, "warm"],
]);

/** Whether a call has ended; what has ended never changes. */
export function hasEnded(state: InvocationState): boolean {
    return (
        state === InvocationState.SUCCEEDED ||
        state === InvocationState.FAILED ||
        state === InvocationState.CANCELLED
    );
}
