import { Link } from "react-router";

import { FunctionStateBadge } from "@/components/StateBadge";
import { Sparkline } from "@/components/Sparkline";
import { SortTh, Table, Td, Th, type Sort } from "@/components/Table";
import { Span, Time } from "@/components/Time";
import { countText, percentText } from "@/lib/numbers";
import { MODES, RUNTIMES } from "@/lib/words";
import { paths } from "@/paths";

import { successRate, waiting, type Column, type Row } from "../api/rows";

type Props = {
    rows: readonly Row[];
    sort: Sort<Column>;
    onSort: (sort: Sort<Column>) => void;
    /** Rows of several namespaces. */
    showNamespace: boolean;
};

export function FunctionTable({ rows, sort, onSort, showNamespace }: Props) {
    const by = (column: Column) => ({ by: column, sort, onSort });
    return (
        <Table
            label="Functions"
            head={
                <>
                    <SortTh {...by("name")}>Function</SortTh>
                    <SortTh {...by("state")}>State</SortTh>
                    <Th numeric className="hidden sm:table-cell">
                        Copies
                    </Th>
                    <Th className="hidden sm:table-cell">Version</Th>
                    <SortTh {...by("calls")}>Calls, 30 min</SortTh>
                    <SortTh {...by("success")} numeric>
                        Success
                    </SortTh>
                    <SortTh {...by("p50")} numeric>
                        p50
                    </SortTh>
                    <SortTh {...by("p99")} numeric>
                        p99
                    </SortTh>
                    <SortTh {...by("queue")} numeric>
                        Queue
                    </SortTh>
                    <SortTh {...by("last")} numeric>
                        Last call
                    </SortTh>
                </>
            }
        >
            {rows.map((row) => (
                <FunctionRow key={row.key} row={row} showNamespace={showNamespace} />
            ))}
        </Table>
    );
}

function FunctionRow({ row, showNamespace }: { row: Row; showNamespace: boolean }) {
    const { value, activity } = row;
    const stats = activity?.stats;
    const rate = successRate(row);
    const queue = waiting(row);
    const trouble = value.conditions.find(
        (each) =>
            (each.type === "Ready" && each.status === "False") ||
            (each.type === "Degraded" && each.status === "True"),
    );
    return (
        <tr>
            <Td className="max-w-52 2xl:max-w-96">
                <Link
                    to={paths.function(value.namespace, value.name)}
                    className="block truncate font-medium text-ink hover:text-accent hover:underline"
                >
                    {showNamespace && <span className="text-ink-faint">{value.namespace}/</span>}
                    {value.name}
                </Link>
                <span className="text-[0.82rem] whitespace-nowrap text-ink-faint">
                    {RUNTIMES[value.runtime]} · {MODES[value.mode]}
                </span>
            </Td>
            <Td>
                <FunctionStateBadge
                    state={value.state}
                    {...(trouble && { title: `${trouble.reason}: ${trouble.message}` })}
                />
            </Td>
            <Td numeric className="hidden sm:table-cell">
                <Copies ready={value.readyCopies} desired={value.desiredCopies} />
            </Td>
            <Td className="hidden sm:table-cell">
                {value.version === undefined ? <Nothing /> : `v${value.version}`}
            </Td>
            <Td>
                <Calls row={row} />
            </Td>
            <Td numeric className={rate !== undefined && rate < 0.95 ? "text-bad" : ""}>
                {rate === undefined ? <Nothing /> : percentText(rate)}
            </Td>
            <Td numeric>
                <Span value={stats?.p50} />
            </Td>
            <Td numeric>
                <Span value={stats?.p99} />
            </Td>
            <Td numeric className={queue > 0 ? "text-wait" : ""}>
                {queue === 0 ? <Nothing /> : countText(queue)}
            </Td>
            <Td numeric>
                <Time value={stats?.lastCallTime} />
            </Td>
        </tr>
    );
}

function Nothing() {
    return <span className="text-ink-faint">–</span>;
}

function Copies({ ready, desired }: { ready: number | undefined; desired: number | undefined }) {
    if (!desired && !ready) return <Nothing />;
    const enough = (ready ?? 0) >= (desired ?? 0);
    return (
        <span
            className={enough ? "" : "text-wait"}
            title={`${ready ?? 0} of ${desired ?? 0} warm copies are ready`}
        >
            {ready ?? 0}/{desired ?? 0}
        </span>
    );
}

function Calls({ row: { activity, value } }: { row: Row }) {
    if (!activity) return <span className="text-[0.85rem] text-ink-faint">no calls</span>;
    const calls = activity.callsPerMinute.reduce((sum, each) => sum + each, 0);
    const failed = activity.failedPerMinute.reduce((sum, each) => sum + each, 0);
    return (
        <span className="flex items-center gap-3">
            <Sparkline
                values={activity.callsPerMinute}
                bad={activity.failedPerMinute}
                label={`${value.name}: ${calls} calls in the last 30 minutes, ${failed} of them failed`}
            />
            <span className="w-10 text-right text-ink-soft">{countText(calls)}</span>
        </span>
    );
}
