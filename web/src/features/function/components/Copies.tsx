import { WarmCopyState, type FunctionEvent, type WarmCopy } from "@/api/generated/eventflow/v1/function_pb";
import { Panel } from "@/components/Page";
import { Badge, type Tone } from "@/components/StateBadge";
import { Table, Td, Th } from "@/components/Table";
import { Time } from "@/components/Time";

const STATES: Record<WarmCopyState, [string, Tone]> = {
    [WarmCopyState.UNSPECIFIED]: ["Unknown", "idle"],
    [WarmCopyState.STARTING]: ["Starting", "busy"],
    [WarmCopyState.READY]: ["Ready", "good"],
    [WarmCopyState.FAILED]: ["Waiting to restart", "bad"],
    [WarmCopyState.STOPPING]: ["Stopping", "idle"],
};

/** Warm copies, each with why it last ended when nobody asked for it. */
export function Copies({
    copies,
    desired,
    ready,
}: {
    copies: readonly WarmCopy[];
    desired: number;
    ready: number;
}) {
    return (
        <Panel title={`Warm copies: ${ready} of ${desired} ready`} flush>
            {copies.length === 0 ? (
                <p className="p-4 text-ink-faint">No copy runs: the next call starts one.</p>
            ) : (
                <Table
                    label="Warm copies"
                    head={
                        <>
                            <Th>Copy</Th>
                            <Th>State</Th>
                            <Th numeric>Restarts</Th>
                            <Th>Started</Th>
                            <Th>Last crash</Th>
                        </>
                    }
                >
                    {copies.map((copy) => {
                        const [text, tone] = STATES[copy.state];
                        return (
                            <tr key={copy.name}>
                                <Td className="font-mono text-[0.9rem]">{copy.name}</Td>
                                <Td>
                                    <Badge
                                        text={text}
                                        tone={tone}
                                        moving={copy.state === WarmCopyState.STARTING}
                                    />
                                </Td>
                                <Td numeric className={copy.restarts > 0 ? "text-wait" : ""}>
                                    {copy.restarts}
                                </Td>
                                <Td>
                                    <Time value={copy.startTime} />
                                </Td>
                                <Td className="min-w-64">
                                    {copy.lastExit ? (
                                        <>
                                            <span className="font-medium">
                                                {copy.lastExit.reason}
                                                {copy.lastExit.exitCode !== undefined &&
                                                    ` (exit code ${copy.lastExit.exitCode})`}
                                            </span>{" "}
                                            <span className="text-[0.85rem] text-ink-faint">
                                                <Time value={copy.lastExit.time} />
                                            </span>
                                            <span className="block text-[0.87rem] whitespace-pre-wrap text-ink-soft [overflow-wrap:anywhere]">
                                                {copy.lastExit.message}
                                            </span>
                                        </>
                                    ) : (
                                        <span className="text-ink-faint">none</span>
                                    )}
                                </Td>
                            </tr>
                        );
                    })}
                </Table>
            )}
        </Panel>
    );
}

/** What Kubernetes told of the function's objects. */
export function Events({ events }: { events: readonly FunctionEvent[] }) {
    if (events.length === 0) return null;
    return (
        <Panel title="Kubernetes events" flush>
            <Table
                label="Kubernetes events"
                head={
                    <>
                        <Th>When</Th>
                        <Th>Reason</Th>
                        <Th>Object</Th>
                        <Th>Message</Th>
                    </>
                }
            >
                {events.map((event) => (
                    <tr key={`${event.object} ${event.reason} ${event.message}`}>
                        <Td>
                            <Time value={event.time} />
                            {event.count > 1 && <span className="text-ink-faint"> ×{event.count}</span>}
                        </Td>
                        <Td className={event.type === "Warning" ? "text-wait" : ""}>{event.reason}</Td>
                        <Td className="font-mono text-[0.85rem]">{event.object}</Td>
                        <Td className="min-w-64 text-ink-soft [overflow-wrap:anywhere]">{event.message}</Td>
                    </tr>
                ))}
            </Table>
        </Panel>
    );
}
