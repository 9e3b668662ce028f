import { ShortId } from "@/components/calls/ShortId";
import { StartMark } from "@/components/calls/StartMark";
import { InvocationStateBadge } from "@/components/StateBadge";
import { EmptyState, ErrorState, Loading } from "@/components/states";
import { Table, Td, Th } from "@/components/Table";
import { Span, Time } from "@/components/Time";

import { useRecentCalls } from "../api/useRecentCalls";

type Props = { namespace: string; name: string; most: number; compact?: boolean };

/** The last calls with how they stand, live. */
export function RecentCalls({ namespace, name, most, compact = false }: Props) {
    const { calls, synced, stream } = useRecentCalls(namespace, name, most);
    if (calls.length === 0) {
        if (stream.phase === "failed") return <ErrorState error={stream.error} />;
        if (!synced) return <Loading label="Loading invocations" rows={3} />;
        return <EmptyState title="It was not called yet" />;
    }
    return (
        <Table
            label="Invocations"
            head={
                <>
                    <Th>Invocation</Th>
                    <Th>State</Th>
                    <Th>When</Th>
                    <Th numeric>Duration</Th>
                    {!compact && <Th numeric>Waited</Th>}
                    <Th>Start</Th>
                    {!compact && <Th numeric>Attempt</Th>}
                    {!compact && <Th>Version</Th>}
                    <Th>Reason</Th>
                </>
            }
        >
            {calls.map((call) => (
                <tr key={call.id}>
                    <Td>
                        <ShortId namespace={call.namespace} id={call.id} />
                    </Td>
                    <Td>
                        <InvocationStateBadge state={call.state} />
                    </Td>
                    <Td>
                        <Time value={call.createTime} />
                    </Td>
                    <Td numeric>
                        <Span value={call.duration} />
                    </Td>
                    {!compact && (
                        <Td numeric>
                            <Span value={call.queueWait} />
                        </Td>
                    )}
                    <Td>
                        <StartMark start={call.start} />
                    </Td>
                    {!compact && <Td numeric>{call.attempt}</Td>}
                    {!compact && <Td>v{call.version}</Td>}
                    <Td className="max-w-72 truncate text-ink-soft">
                        <span title={call.message}>{call.reason}</span>
                    </Td>
                </tr>
            ))}
        </Table>
    );
}
