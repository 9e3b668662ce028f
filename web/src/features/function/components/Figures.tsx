import type { ReactNode } from "react";
import { Link } from "react-router";

import type { FunctionActivity, FunctionStats } from "@/api/generated/eventflow/v1/function_pb";
import { Panel } from "@/components/Page";
import { Sparkline } from "@/components/Sparkline";
import { Span, Time } from "@/components/Time";
import { countText, percentText } from "@/lib/numbers";
import { paths } from "@/paths";

type Props = {
    namespace: string;
    name: string;
    stats: FunctionStats | undefined;
    activity: FunctionActivity | undefined;
};

/** How its calls go: of the last minutes, and of what waits and runs now. */
export function Figures({ namespace, name, stats, activity }: Props) {
    const calls = Number(stats?.calls ?? 0n);
    const success = stats && calls > 0 ? 1 - Number(stats.failed) / calls : undefined;
    const dead = Number(stats?.deadLetters ?? 0n);
    const minutes = activity?.callsPerMinute ?? [];
    const total = minutes.reduce((sum, each) => sum + each, 0);
    return (
        <Panel
            title="Calls"
            actions={
                minutes.length > 0 && (
                    <Sparkline
                        values={minutes}
                        bad={activity?.failedPerMinute ?? []}
                        label={`${total} calls in the last 30 minutes`}
                    />
                )
            }
        >
            <dl className="grid grid-cols-2 gap-x-4 gap-y-3 sm:grid-cols-4">
                <Figure label="Per minute">
                    {stats ? String(Math.round(stats.callsPerMinute * 10) / 10) : "0"}
                </Figure>
                <Figure
                    label="Success, 5 min"
                    {...(success !== undefined && success < 0.95 && { tone: "text-bad" })}
                >
                    {success === undefined ? "–" : percentText(success)}
                </Figure>
                <Figure label="p50">
                    <Span value={stats?.p50} />
                </Figure>
                <Figure label="p99">
                    <Span value={stats?.p99} />
                </Figure>
                <Figure label="Running">{countText(stats?.running ?? 0n)}</Figure>
                <Figure label="Waiting">{countText((stats?.queued ?? 0n) + (stats?.retrying ?? 0n))}</Figure>
                <Figure label="Dead letters" {...(dead > 0 && { tone: "text-wait" })}>
                    {dead > 0 ? (
                        <Link className="underline" to={paths.deadLetters(namespace, { function: name })}>
                            {countText(dead)}
                        </Link>
                    ) : (
                        "0"
                    )}
                </Figure>
                <Figure label="Last call">
                    <Time value={stats?.lastCallTime} none="never" />
                </Figure>
            </dl>
        </Panel>
    );
}

function Figure({ label, children, tone = "" }: { label: string; children: ReactNode; tone?: string }) {
    return (
        <div>
            <dt className="text-[0.82rem] text-ink-faint">{label}</dt>
            <dd className={`text-lg font-semibold ${tone}`}>{children}</dd>
        </div>
    );
}
