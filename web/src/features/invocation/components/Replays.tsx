import type { Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import { ShortId } from "@/components/calls/ShortId";
import { Panel } from "@/components/Page";
import { InvocationStateBadge } from "@/components/StateBadge";
import { Span, Time } from "@/components/Time";
import { useReplays } from "../api/useReplay";

/** The calls that repeat this one; nothing where there are none. */
export function Replays({ call }: { call: Invocation }) {
    const { data } = useReplays(call.namespace, call.id);
    const replays = data?.invocations ?? [];
    if (replays.length === 0) return null;
    return (
        <Panel title={data?.nextPageToken ? "Replays (the newest)" : "Replays"}>
            <ul className="flex flex-col gap-2">
                {replays.map((one) => (
                    <li key={one.id} className="flex flex-wrap items-center gap-x-4 gap-y-1">
                        <InvocationStateBadge state={one.state} />
                        <ShortId namespace={one.namespace} id={one.id} />
                        <span className="text-ink-soft">version {one.version}</span>
                        <Span value={one.duration} />
                        <span className="ml-auto text-ink-faint">
                            <Time value={one.createTime} />
                        </span>
                    </li>
                ))}
            </ul>
        </Panel>
    );
}
