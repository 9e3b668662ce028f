import { TriangleAlert } from "lucide-react";

import { InvocationState, type Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import { LinkButton } from "@/components/Button";
import { filterToQuery, NO_FILTER } from "@/lib/calls/filter";
import { paths } from "@/paths";

/** Why a call failed or was cancelled, in the words of the record. */
export function Outcome({ call }: { call: Invocation }) {
    const failed = call.state === InvocationState.FAILED;
    if (call.cancelRequested && call.state === InvocationState.RUNNING) {
        return (
            <Note>A cancel was asked for. Its worker is told; it ends as soon as that has heard of it.</Note>
        );
    }
    if (!call.reason && !call.message) return null;
    const same = { ...NO_FILTER, function: call.function, reason: call.reason, states: [call.state] };
    return (
        <Note bad={failed}>
            <strong className="font-semibold">{call.reason}</strong>
            {call.message && ` – ${call.message}`}
            <span className="mt-2 flex flex-wrap gap-2">
                <LinkButton to={paths.invocations(call.namespace, filterToQuery(same))}>
                    Others like it
                </LinkButton>
                {call.deadLetter && (
                    <LinkButton
                        className="!whitespace-normal"
                        to={paths.deadLetters(call.namespace, {
                            function: call.function,
                            reason: call.reason,
                        })}
                    >
                        Redrive or discard it
                    </LinkButton>
                )}
            </span>
        </Note>
    );
}

function Note({ bad = false, children }: { bad?: boolean; children: React.ReactNode }) {
    return (
        <div
            className={`flex gap-3 rounded-lg border px-4 py-3 ${bad ? "border-bad/40 bg-bad/10" : "border-line bg-raised"}`}
        >
            <TriangleAlert
                aria-hidden
                className={`mt-0.5 size-4.5 shrink-0 ${bad ? "text-bad" : "text-ink-faint"}`}
            />
            <div className="min-w-0 whitespace-pre-wrap [overflow-wrap:anywhere]">{children}</div>
        </div>
    );
}
