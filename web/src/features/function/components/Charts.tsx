import type { MetricsPoint } from "@/api/generated/eventflow/v1/function_pb";
import { Panel } from "@/components/Page";
import { TimeChart } from "@/components/TimeChart";
import { countText, plural } from "@/lib/numbers";
import { durationMs, msOf, spanText } from "@/lib/time";

/** A function's calls over time. */
export function Charts({ points }: { points: readonly MetricsPoint[] }) {
    const times = points.map((point) => (point.startTime ? msOf(point.startTime) : 0));
    const sum = (of: (point: MetricsPoint) => bigint) =>
        points.reduce((total, point) => total + Number(of(point)), 0);
    const failed = sum((point) => point.failed);
    const whole = (value: number) => (Number.isInteger(value) ? countText(value) : value.toFixed(1));
    return (
        <div className="grid gap-4 xl:grid-cols-2">
            <Panel
                title={`Calls: ${plural(
                    sum((point) => point.calls),
                    "call",
                )}, ${failed} failed`}
            >
                <TimeChart
                    label="Calls over time"
                    kind="bars"
                    times={times}
                    format={whole}
                    series={[
                        {
                            label: "failed",
                            tone: "text-bad",
                            values: points.map((point) => Number(point.failed)),
                        },
                        {
                            label: "cancelled",
                            tone: "text-idle",
                            values: points.map((point) => Number(point.cancelled)),
                        },
                        {
                            label: "succeeded",
                            tone: "text-good",
                            values: points.map((point) =>
                                Number(point.calls - point.failed - point.cancelled),
                            ),
                        },
                    ]}
                />
            </Panel>
            <Panel title="Duration of a run">
                <TimeChart
                    label="Duration over time"
                    kind="lines"
                    times={times}
                    format={(value) => (value === 0 ? "0" : spanText(value))}
                    series={[
                        {
                            label: "p50",
                            tone: "text-accent",
                            values: points.map((point) => point.p50 && durationMs(point.p50)),
                        },
                        {
                            label: "p99",
                            tone: "text-wait",
                            values: points.map((point) => point.p99 && durationMs(point.p99)),
                        },
                    ]}
                />
            </Panel>
            <Panel title={`Cold starts: ${sum((point) => point.cold)}`}>
                <TimeChart
                    label="Cold and warm starts over time"
                    kind="bars"
                    times={times}
                    format={whole}
                    series={[
                        {
                            label: "cold",
                            tone: "text-busy",
                            values: points.map((point) => Number(point.cold)),
                        },
                        {
                            label: "warm",
                            tone: "text-ink-faint",
                            values: points.map((point) =>
                                Math.max(0, Number(point.calls - point.cancelled - point.cold)),
                            ),
                        },
                    ]}
                />
            </Panel>
            <Panel title="Failures">
                <TimeChart
                    label="Share of failed calls over time"
                    kind="lines"
                    times={times}
                    format={(value) => `${Math.round(value * 10) / 10} %`}
                    series={[
                        {
                            label: "failed",
                            tone: "text-bad",
                            values: points.map((point) =>
                                point.calls === 0n
                                    ? undefined
                                    : (Number(point.failed) / Number(point.calls)) * 100,
                            ),
                        },
                    ]}
                />
            </Panel>
        </div>
    );
}
