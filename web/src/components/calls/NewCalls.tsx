import { useRef, useState } from "react";

import { clientOf } from "@/api/client";
import { InvocationState } from "@/api/generated/eventflow/v1/invocation_pb";
import {
    InvocationService,
    type WatchInvocationsResponse,
} from "@/api/generated/eventflow/v1/invocation_service_pb";
import { hasEnded } from "@/lib/calls/states";
import { useStream } from "@/lib/useStream";

/** What a watch may be asked for at once. */
const MOST_WATCHED = 1000;
const SILENCE_MS = 45_000;

const client = clientOf(InvocationService);

type Tally = { succeeded: number; failed: number; open: number };

/** What becomes of the calls that a replay or redrive made, as it happens. */
export function NewCalls({ ids, namespace }: { ids: readonly string[]; namespace: string }) {
    const watched = ids.slice(0, MOST_WATCHED);
    const states = useRef(new Map<string, InvocationState>());
    const [tally, setTally] = useState<Tally>({ succeeded: 0, failed: 0, open: watched.length });
    useStream<WatchInvocationsResponse>({
        key: `${namespace} ${watched.length} ${watched[0] ?? ""}`,
        open: (signal, opened) =>
            client.watchInvocations(
                { namespace, snapshot: watched.length, filter: { ids: watched } },
                { signal, timeoutMs: 0, onHeader: opened },
            ),
        onMessage: ({ invocation }) => {
            if (!invocation || !watched.includes(invocation.id)) return;
            const before = states.current.get(invocation.id);
            if (before !== undefined && hasEnded(before)) return;
            states.current.set(invocation.id, invocation.state);
            setTally(tallyOf([...states.current.values()], watched.length));
        },
        heartbeatTimeoutMs: SILENCE_MS,
        endsByItself: false,
    });
    return (
        <dl
            role="status"
            className="grid grid-cols-3 gap-2 text-center [&>div]:rounded-md [&>div]:border [&>div]:border-line [&>div]:py-2"
        >
            <Figure name="under way" value={tally.open} tone="text-busy" />
            <Figure name="succeeded" value={tally.succeeded} tone="text-good" />
            <Figure
                name="not well"
                value={tally.failed}
                tone={tally.failed > 0 ? "text-bad" : "text-ink-faint"}
            />
            {ids.length > MOST_WATCHED && (
                <p className="col-span-3 !border-0 text-[0.85rem] text-ink-faint">
                    The first {MOST_WATCHED} new calls are counted here.
                </p>
            )}
        </dl>
    );
}

function Figure({ name, value, tone }: { name: string; value: number; tone: string }) {
    return (
        <div className="flex flex-col-reverse">
            <dt className="text-[0.85rem] text-ink-faint">{name}</dt>
            <dd className={`text-xl font-semibold ${tone}`}>{value}</dd>
        </div>
    );
}

function tallyOf(states: readonly InvocationState[], all: number): Tally {
    const succeeded = states.filter((state) => state === InvocationState.SUCCEEDED).length;
    const ended = states.filter(hasEnded).length;
    return { succeeded, failed: ended - succeeded, open: all - ended };
}
