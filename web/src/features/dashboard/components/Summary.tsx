import { FunctionState } from "@/api/generated/eventflow/v1/function_pb";
import { countText, percentText, plural } from "@/lib/numbers";

import { waiting, type Row } from "../api/rows";

/** The installation in one line of figures. */
export function Summary({ rows }: { rows: readonly Row[] }) {
    const sum = (of: (row: Row) => number) => rows.reduce((total, row) => total + of(row), 0);
    const ready = rows.filter(({ value }) => value.state === FunctionState.READY).length;
    const calls = sum(({ activity }) => Number(activity?.stats?.calls ?? 0n));
    const failed = sum(({ activity }) => Number(activity?.stats?.failed ?? 0n));
    const perMinute = sum(({ activity }) => activity?.stats?.callsPerMinute ?? 0);
    const running = sum(({ activity }) => Number(activity?.stats?.running ?? 0n));
    const dead = sum(({ activity }) => Number(activity?.stats?.deadLetters ?? 0n));
    return (
        <dl className="panel grid grid-cols-2 overflow-hidden sm:grid-cols-3 xl:grid-cols-6 [&>div]:border-line [&>div]:shadow-[1px_1px_0_var(--line)]">
            <Figure label="Functions ready" value={`${ready} of ${rows.length}`} warn={ready < rows.length} />
            <Figure
                label="Calls per minute"
                value={
                    perMinute < 10
                        ? String(Math.round(perMinute * 10) / 10)
                        : countText(Math.round(perMinute))
                }
            />
            <Figure
                label="Success, 5 min"
                value={calls === 0 ? "–" : percentText(1 - failed / calls)}
                warn={calls > 0 && failed / calls > 0.05}
                title={plural(calls, "call")}
            />
            <Figure label="Running now" value={countText(running)} />
            <Figure label="Waiting" value={countText(sum(waiting))} />
            <Figure label="Dead letters" value={countText(dead)} warn={dead > 0} />
        </dl>
    );
}

function Figure({
    label,
    value,
    warn = false,
    title,
}: {
    label: string;
    value: string;
    warn?: boolean;
    title?: string;
}) {
    return (
        <div className="px-4 py-2.5" title={title}>
            <dt className="text-[0.82rem] text-ink-faint">{label}</dt>
            <dd className={`text-lg font-semibold ${warn ? "text-wait" : ""}`}>{value}</dd>
        </div>
    );
}
