import { FunctionState } from "@/api/generated/eventflow/v1/function_pb";
import { InvocationState } from "@/api/generated/eventflow/v1/invocation_pb";

export type Tone = "good" | "busy" | "wait" | "bad" | "idle";

const TONES: Record<Tone, string> = {
    good: "text-good bg-good/10 border-good/30",
    busy: "text-busy bg-busy/10 border-busy/30",
    wait: "text-wait bg-wait/10 border-wait/30",
    bad: "text-bad bg-bad/10 border-bad/30",
    idle: "text-idle bg-idle/10 border-idle/30",
};

const FUNCTION_STATES: Record<FunctionState, [string, Tone]> = {
    [FunctionState.UNSPECIFIED]: ["Unknown", "idle"],
    [FunctionState.PENDING]: ["Pending", "busy"],
    [FunctionState.READY]: ["Ready", "good"],
    [FunctionState.DEGRADED]: ["Degraded", "wait"],
    [FunctionState.PAUSED]: ["Paused", "idle"],
    [FunctionState.DELETING]: ["Deleting", "bad"],
};

const INVOCATION_STATES: Record<InvocationState, [string, Tone]> = {
    [InvocationState.UNSPECIFIED]: ["Unknown", "idle"],
    [InvocationState.QUEUED]: ["Queued", "idle"],
    [InvocationState.RUNNING]: ["Running", "busy"],
    [InvocationState.RETRYING]: ["Retrying", "wait"],
    [InvocationState.SUCCEEDED]: ["Succeeded", "good"],
    [InvocationState.FAILED]: ["Failed", "bad"],
    [InvocationState.CANCELLED]: ["Cancelled", "idle"],
};

/** A word in the colour of its meaning. The dot moves while something goes on. */
export function Badge({
    text,
    tone,
    moving = false,
    title,
}: {
    text: string;
    tone: Tone;
    moving?: boolean;
    title?: string;
}) {
    return (
        <span
            title={title}
            className={`inline-flex items-center gap-1.5 rounded-full border px-2 py-px align-middle text-[0.8rem] font-medium whitespace-nowrap ${TONES[tone]}`}
        >
            <span
                aria-hidden
                className={`size-1.5 rounded-full bg-current ${moving ? "animate-pulse" : ""}`}
            />
            {text}
        </span>
    );
}

export function FunctionStateBadge({ state, title }: { state: FunctionState; title?: string }) {
    const [text, tone] = FUNCTION_STATES[state] ?? FUNCTION_STATES[FunctionState.UNSPECIFIED];
    return (
        <Badge text={text} tone={tone} moving={state === FunctionState.PENDING} {...(title && { title })} />
    );
}

export function InvocationStateBadge({ state, title }: { state: InvocationState; title?: string }) {
    const [text, tone] = INVOCATION_STATES[state] ?? INVOCATION_STATES[InvocationState.UNSPECIFIED];
    return (
        <Badge text={text} tone={tone} moving={state === InvocationState.RUNNING} {...(title && { title })} />
    );
}
