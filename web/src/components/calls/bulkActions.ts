import { clientOf } from "@/api/client";
import type { InvocationFilter } from "@/api/generated/eventflow/v1/invocation_pb";
import { InvocationService } from "@/api/generated/eventflow/v1/invocation_service_pb";
import type { Batch, BulkKind, BulkRequest } from "@/lib/calls/bulk";

const client = clientOf(InvocationService);
/** A thousand calls take their time on a busy machine. */
const TIMEOUT_MS = 120_000;

/** One request of a bulk action, or with `dryRun` the count of what it would act on. */
export function act(
    kind: BulkKind,
    request: BulkRequest,
    dryRun: boolean,
    signal: AbortSignal,
): Promise<Batch> {
    const { namespace, filter, version, rate } = request;
    const options = { signal, timeoutMs: TIMEOUT_MS };
    switch (kind) {
        case "cancel":
            return client.cancelInvocations({ namespace, filter, dryRun }, options);
        case "replay":
            return client.replayInvocations({ namespace, filter, dryRun, version, rate }, options);
        case "redrive":
            return client.redriveInvocations({ namespace, filter, dryRun, version, rate }, options);
        case "discard":
            return client.discardInvocations({ namespace, filter, dryRun }, options);
    }
}

/** How many calls the action would be about. */
export async function countOf(
    kind: BulkKind,
    namespace: string,
    filter: InvocationFilter,
    signal: AbortSignal,
): Promise<number> {
    return Number((await act(kind, { namespace, filter, version: 0, rate: 0 }, true, signal)).count);
}

/** The words of each action. */
export const WORDS: Record<BulkKind, { verb: string; done: string; what: string; danger: boolean }> = {
    cancel: { verb: "Cancel", done: "cancelled", what: "call", danger: true },
    replay: { verb: "Replay", done: "replayed", what: "call", danger: false },
    redrive: { verb: "Redrive", done: "redriven", what: "dead letter", danger: false },
    discard: { verb: "Discard", done: "discarded", what: "dead letter", danger: true },
};

/** What people should know before they do it. */
export const EXPLAINED: Record<BulkKind, string> = {
    cancel: "Waiting calls end at once, running ones as soon as their worker has heard of it. What they have done so far is not undone.",
    replay: "A new call with the recorded payload is made of each call that has ended. The old records stay as they are.",
    redrive:
        "A new call with the recorded payload is made of each, and it is no dead letter any more. The old records stay.",
    discard: "They are no dead letters any more and will not be redriven. The records stay.",
};
