import { type Attempt, type Invocation, InvocationState } from "@/api/generated/eventflow/v1/invocation_pb";
import { hasEnded } from "./states";
import { msOf } from "@/lib/time";
import type { Timestamp } from "@bufbuild/protobuf/wkt";

const millisOf = (time: Timestamp | undefined) => time && msOf(time);

export type Kind = "queued" | "attempt" | "backoff" | "settled";

/** One stretch of a call's life. Times are milliseconds since 1970. */
export type Step = {
    readonly key: string;
    readonly kind: Kind;
    readonly from: number;
    /** When it ended; for one that lasts, now. */
    readonly to: number;
    /** It has not ended. */
    readonly lasts: boolean;
    /** When it will end, where that is known: the next try. */
    readonly until?: number;
    readonly attempt?: Attempt;
};

/** The whole call in the order of time: waiting, each attempt, the waits between them, and its end. */
export function timeline(call: Invocation, now: number): Step[] {
    const created = millisOf(call.createTime);
    if (created === undefined) return [];
    const ended = hasEnded(call.state) ? (millisOf(call.endTime) ?? created) : undefined;
    const attempts = [...call.attempts].sort((a, b) => a.number - b.number);
    const steps = [waiting(call, attempts[0], created, ended, now)];
    let last = steps[0]?.to ?? created;
    for (const [index, attempt] of attempts.entries()) {
        const step = attemptStep(attempt, ended, now, last);
        if (index > 0 && step.from > last) steps.push(backoff(attempt.number, last, step.from));
        steps.push(step);
        last = step.to;
    }
    if (call.state === InvocationState.RETRYING && attempts.length > 0) steps.push(nextTry(call, last, now));
    // Cancelled or given up between two attempts.
    else if (ended !== undefined && attempts.length > 0 && ended > last)
        steps.push(backoff(attempts.length + 1, last, ended));
    if (ended !== undefined)
        steps.push({ key: "settled", kind: "settled", from: ended, to: ended, lasts: false });
    return steps;
}

function waiting(
    call: Invocation,
    first: Attempt | undefined,
    created: number,
    ended: number | undefined,
    now: number,
): Step {
    const began = millisOf(first?.startTime) ?? millisOf(call.startTime) ?? ended;
    const notBefore = millisOf(call.notBeforeTime);
    return {
        key: "queued",
        kind: "queued",
        from: created,
        // Clocks of two machines: nothing lasts less than no time.
        to: Math.max(created, began ?? now),
        lasts: began === undefined,
        ...(began === undefined && notBefore !== undefined && notBefore > created
            ? { until: notBefore }
            : {}),
    };
}

function attemptStep(attempt: Attempt, ended: number | undefined, now: number, last: number): Step {
    const from = millisOf(attempt.startTime) ?? last;
    const to = millisOf(attempt.endTime) ?? ended;
    return {
        key: `attempt-${attempt.number}`,
        kind: "attempt",
        from,
        to: Math.max(from, to ?? now),
        lasts: to === undefined,
        attempt,
    };
}

function backoff(number: number, from: number, to: number): Step {
    return { key: `backoff-${number}`, kind: "backoff", from, to: Math.max(from, to), lasts: false };
}

function nextTry(call: Invocation, last: number, now: number): Step {
    const until = millisOf(call.notBeforeTime);
    const step: Step = {
        key: "backoff-next",
        kind: "backoff",
        from: last,
        to: Math.max(last, now),
        lasts: true,
    };
    return until === undefined ? step : { ...step, until };
}

export type Bar = { readonly left: number; readonly width: number };

/** Where each step lies on a line from 0 to 100; what is too short to be seen gets `least`. */
export function bars(steps: readonly Step[], least = 0.6): Bar[] {
    const begin = Math.min(...steps.map((step) => step.from));
    const end = Math.max(...steps.map((step) => step.to));
    const whole = end - begin;
    return steps.map((step) => {
        if (whole <= 0) return { left: 0, width: 100 };
        const width = Math.max(least, ((step.to - step.from) / whole) * 100);
        return { left: Math.min(((step.from - begin) / whole) * 100, 100 - width), width };
    });
}
