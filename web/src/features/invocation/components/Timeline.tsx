import {
    InvocationState,
    StartKind,
    type Attempt,
    type Invocation,
} from "@/api/generated/eventflow/v1/invocation_pb";
import { StartMark } from "@/components/calls/StartMark";
import { Panel } from "@/components/Page";
import { InvocationStateBadge } from "@/components/StateBadge";
import { hasEnded } from "@/lib/calls/states";
import { bars, timeline, type Step } from "@/lib/calls/timeline";
import { clockText, exactText, spanText } from "@/lib/time";
import { useNow } from "@/lib/useNow";

/** The call's life: waiting, each start of the code, the waits between them, the end. */
export function Timeline({ call }: { call: Invocation }) {
    const now = useNow();
    const steps = timeline(call, now);
    const places = bars(steps);
    return (
        <Panel title="Timeline">
            <ol className="flex flex-col">
                {steps.map((step, index) => (
                    <li
                        key={step.key}
                        className="grid grid-cols-[6.5rem_minmax(0,1fr)_4.5rem] items-center gap-x-3 gap-y-0.5 border-b border-line/60 py-2 last:border-b-0 sm:grid-cols-[8rem_minmax(0,1fr)_4.5rem]"
                    >
                        <StepName step={step} call={call} />
                        <span aria-hidden className="relative h-3 rounded-sm bg-raised">
                            <span
                                className={`absolute inset-y-0 rounded-sm ${barTone(step)} ${step.lasts ? "animate-pulse" : ""}`}
                                style={{
                                    left: `${places[index]?.left ?? 0}%`,
                                    width: `${places[index]?.width ?? 0}%`,
                                }}
                            />
                        </span>
                        <span
                            className="text-right font-mono text-[0.88rem]"
                            title={`${Math.round((step.to - step.from) * 1000) / 1000} ms`}
                        >
                            {step.kind === "settled" ? "" : spanText(step.to - step.from)}
                        </span>
                        <StepDetails step={step} now={now} />
                    </li>
                ))}
            </ol>
        </Panel>
    );
}

function StepName({ step, call }: { step: Step; call: Invocation }) {
    const { attempt } = step;
    if (step.kind === "settled") {
        return (
            <span>
                <InvocationStateBadge state={call.state} />
            </span>
        );
    }
    if (attempt) return <span className="font-medium">Attempt {attempt.number}</span>;
    return <span className="text-ink-soft">{step.kind === "queued" ? "Queued" : "Wait to retry"}</span>;
}

function StepDetails({ step, now }: { step: Step; now: number }) {
    return (
        <span className="col-span-3 flex flex-wrap items-center gap-x-4 text-[0.87rem] text-ink-soft sm:col-span-2 sm:col-start-2">
            <time
                dateTime={new Date(step.from).toISOString()}
                title={exactText(step.from)}
                className="font-mono text-ink-faint"
            >
                {clockText(step.from)}
                {step.kind !== "settled" && (step.lasts ? " …" : ` – ${clockText(step.to)}`)}
            </time>
            {step.until !== undefined && step.until > now && (
                <span>next try in {spanText(step.until - now)}</span>
            )}
            {step.attempt && <AttemptDetails attempt={step.attempt} />}
        </span>
    );
}

function AttemptDetails({ attempt }: { attempt: Attempt }) {
    return (
        <>
            {attempt.start !== StartKind.UNSPECIFIED && <StartMark start={attempt.start} />}
            <span>version {attempt.version}</span>
            {attempt.exitCode !== undefined && attempt.exitCode !== 0 && (
                <span>exit code {attempt.exitCode}</span>
            )}
            {attempt.worker && (
                <span
                    className="max-w-48 truncate font-mono text-[0.95em]"
                    title={`Ran on ${attempt.worker}`}
                >
                    {attempt.worker}
                </span>
            )}
            {attempt.reason && (
                <span className="text-bad [overflow-wrap:anywhere]">
                    {attempt.reason}
                    {attempt.message && `: ${attempt.message}`}
                </span>
            )}
        </>
    );
}

function barTone({ kind, attempt, lasts }: Step): string {
    if (kind === "queued" || kind === "backoff") return "bg-line-strong";
    if (kind === "settled") return "bg-ink-faint";
    if (lasts) return "bg-busy";
    if (attempt?.state === InvocationState.SUCCEEDED) return "bg-good";
    return attempt && hasEnded(attempt.state) && attempt.state === InvocationState.CANCELLED
        ? "bg-idle"
        : "bg-bad";
}
