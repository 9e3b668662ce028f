import { Link } from "react-router";

import type { Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import { ShortId } from "@/components/calls/ShortId";
import { StartMark } from "@/components/calls/StartMark";
import { InvocationStateBadge } from "@/components/StateBadge";
import { Table, Td, Th } from "@/components/Table";
import { Elapsed, Span, Time } from "@/components/Time";
import { hasEnded, SOURCES } from "@/lib/calls/states";
import { paths } from "@/paths";

type CallsTableProps = {
    rows: readonly Invocation[];
    /** Calls of all namespaces are shown. */
    showNamespace: boolean;
    ticked: ReadonlySet<string>;
    onTick: (ids: readonly string[], on: boolean) => void;
};

const SMALL = "hidden sm:table-cell";
const WIDE = "hidden lg:table-cell";
const WIDER = "hidden 2xl:table-cell";
const MIDDLE = "hidden md:table-cell";

export function CallsTable({ rows, showNamespace, ticked, onTick }: CallsTableProps) {
    const all = rows.length > 0 && rows.every((row) => ticked.has(row.id));
    const head = (
        <>
            <Th className="w-8">
                <input
                    type="checkbox"
                    className="block size-4 accent-accent"
                    aria-label="All calls of this page"
                    checked={all}
                    onChange={() =>
                        onTick(
                            rows.map((row) => row.id),
                            !all,
                        )
                    }
                />
            </Th>
            <Th className={SMALL}>State</Th>
            <Th>Function</Th>
            <Th className={MIDDLE}>Call</Th>
            <Th className={WIDER}>Caller</Th>
            <Th className={WIDER}>Came in</Th>
            <Th className={WIDE}>Start</Th>
            <Th numeric className={MIDDLE}>
                Waited
            </Th>
            <Th numeric className={MIDDLE}>
                Ran
            </Th>
            <Th numeric className={WIDER}>
                Attempts
            </Th>
            <Th className={WIDE}>Reason</Th>
            <Th numeric>Accepted</Th>
        </>
    );
    return (
        <Table label="Invocations" head={head}>
            {rows.map((call) => (
                <Row key={call.id} call={call} {...{ showNamespace, onTick }} ticked={ticked.has(call.id)} />
            ))}
        </Table>
    );
}

type RowProps = {
    call: Invocation;
    showNamespace: boolean;
    ticked: boolean;
    onTick: CallsTableProps["onTick"];
};

function Row({ call, showNamespace, ticked, onTick }: RowProps) {
    const { namespace, id } = call;
    return (
        <tr className={ticked ? "bg-accent-wash" : ""}>
            <Td>
                <input
                    type="checkbox"
                    className="block size-4 accent-accent"
                    aria-label={`Call ${id.slice(-12)}`}
                    checked={ticked}
                    onChange={() => onTick([id], !ticked)}
                />
            </Td>
            <Td className={SMALL}>
                <InvocationStateBadge state={call.state} />
            </Td>
            <Td>
                <span className="mb-1 block sm:hidden">
                    <InvocationStateBadge state={call.state} />
                </span>
                <Link
                    to={paths.function(namespace, call.function)}
                    className="[overflow-wrap:anywhere] hover:underline"
                >
                    {showNamespace && <span className="text-ink-faint">{namespace}/</span>}
                    {call.function}
                </Link>{" "}
                <span className="text-[0.85em] text-ink-faint" title={`Version ${call.version}`}>
                    v{call.version}
                </span>
                <span className="mt-1 block text-[0.9em] md:hidden">
                    <ShortId namespace={namespace} id={id} />
                </span>
            </Td>
            <Td className={MIDDLE}>
                <ShortId namespace={namespace} id={id} />
            </Td>
            <Td className={WIDER}>
                <span className="block max-w-40 truncate" title={call.caller}>
                    {call.caller}
                </span>
            </Td>
            <Td className={WIDER}>{SOURCES.word(call.source)}</Td>
            <Td className={WIDE}>
                <StartMark start={call.start} />
            </Td>
            <Td numeric className={MIDDLE}>
                <Span value={call.queueWait} />
            </Td>
            <Td numeric className={MIDDLE}>
                <Ran call={call} />
            </Td>
            <Td numeric className={WIDER}>
                {call.attempt}
            </Td>
            <Td className={WIDE}>
                <span className="block max-w-52 truncate text-ink-soft" title={call.message || call.reason}>
                    {call.reason}
                </span>
            </Td>
            <Td numeric>
                <Time value={call.createTime} />
            </Td>
        </tr>
    );
}

function Ran({ call }: { call: Invocation }) {
    if (!hasEnded(call.state) && call.startTime) return <Elapsed since={call.startTime} />;
    return <Span value={call.duration} />;
}
