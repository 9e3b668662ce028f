import { useState, type KeyboardEvent, type PointerEvent } from "react";

import { niceCeiling } from "@/lib/scale";

export type Series = {
    label: string;
    /** The stroke or fill as a class of a colour by role, such as `text-good`. */
    tone: string;
    /** One for each point; undefined where nothing is known. */
    values: readonly (number | undefined)[];
};

type TimeChartProps = {
    label: string;
    /** Milliseconds since 1970, oldest first. */
    times: readonly number[];
    series: readonly Series[];
    /** Bars that stand on each other, or lines. */
    kind: "bars" | "lines";
    format: (value: number) => string;
};

const WIDTH = 600;
const HEIGHT = 160;

/** The course of figures over time. Each point can be read by pointer and, with the arrow keys, by keyboard. */
export function TimeChart({ label, times, series, kind, format }: TimeChartProps) {
    const [at, setAt] = useState<number | null>(null);
    const tops = times.map((_, point) => {
        const values = series.map((each) => each.values[point] ?? 0);
        return kind === "bars" ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values);
    });
    const most = niceCeiling(Math.max(0, ...tops));
    const step = WIDTH / Math.max(1, times.length);
    const y = (value: number) => HEIGHT - (value / most) * HEIGHT;

    const onPointer = (event: PointerEvent<SVGSVGElement>) => {
        const box = event.currentTarget.getBoundingClientRect();
        const found = Math.floor(((event.clientX - box.left) / box.width) * times.length);
        setAt(Math.min(times.length - 1, Math.max(0, found)));
    };
    const onKey = (event: KeyboardEvent) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        setAt((before) => Math.min(times.length - 1, Math.max(0, (before ?? times.length) + by)));
    };

    return (
        <figure className="flex flex-col gap-2">
            <figcaption className="flex flex-wrap items-baseline justify-between gap-x-4 text-[0.87rem]">
                <span className="flex flex-wrap gap-x-4">
                    {series.map((each) => (
                        <span key={each.label} className="inline-flex items-center gap-1.5 text-ink-soft">
                            <span aria-hidden className={`size-2 rounded-sm bg-current ${each.tone}`} />
                            {each.label}
                        </span>
                    ))}
                </span>
                <output aria-live="polite" className="text-ink-faint">
                    {at === null ? " " : pointText(at, times, series, format)}
                </output>
            </figcaption>
            <div className="grid grid-cols-[minmax(0,1fr)_auto] gap-2">
                <svg
                    tabIndex={0}
                    role="img"
                    aria-label={`${label}. Arrow keys read the points.`}
                    viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
                    preserveAspectRatio="none"
                    className="h-40 w-full touch-pan-y"
                    onPointerMove={onPointer}
                    onPointerLeave={() => setAt(null)}
                    onKeyDown={onKey}
                    onBlur={() => setAt(null)}
                >
                    {[0, 0.5, 1].map((share) => (
                        <line
                            key={share}
                            x1="0"
                            x2={WIDTH}
                            y1={y(most * share)}
                            y2={y(most * share)}
                            className="stroke-line"
                            vectorEffect="non-scaling-stroke"
                        />
                    ))}
                    {at !== null && (
                        <rect x={at * step} y="0" width={step} height={HEIGHT} className="fill-raised" />
                    )}
                    {kind === "bars" ? (
                        <Bars series={series} points={times.length} step={step} scale={HEIGHT / most} />
                    ) : (
                        series.map((each) => (
                            <path
                                key={each.label}
                                d={linePath(each.values, step, y)}
                                fill="none"
                                strokeWidth="2"
                                vectorEffect="non-scaling-stroke"
                                className={`stroke-current ${each.tone}`}
                            />
                        ))
                    )}
                </svg>
                <div
                    aria-hidden
                    className="flex flex-col justify-between text-[0.78rem] leading-none text-ink-faint"
                >
                    <span>{format(most)}</span>
                    <span>{format(most / 2)}</span>
                    <span>{format(0)}</span>
                </div>
                <div aria-hidden className="col-start-1 flex justify-between text-[0.78rem] text-ink-faint">
                    <span>{clock(times[0])}</span>
                    <span>{clock(times[Math.floor(times.length / 2)])}</span>
                    <span>now</span>
                </div>
            </div>
        </figure>
    );
}

function Bars({
    series,
    points,
    step,
    scale,
}: {
    series: readonly Series[];
    points: number;
    step: number;
    scale: number;
}) {
    return Array.from({ length: points }, (_, point) => {
        let below = 0;
        return series.map((each) => {
            const height = (each.values[point] ?? 0) * scale;
            below += height;
            return (
                height > 0 && (
                    <rect
                        key={`${each.label} ${point}`}
                        x={point * step + step * 0.1}
                        y={HEIGHT - below}
                        width={step * 0.8}
                        height={height}
                        className={`fill-current ${each.tone}`}
                    />
                )
            );
        });
    });
}

/** A line with gaps where nothing is known; a point alone becomes a short dash. */
export function linePath(
    values: readonly (number | undefined)[],
    step: number,
    y: (value: number) => number,
): string {
    return values
        .map((value, at) => {
            if (value === undefined) return "";
            const x = (at + 0.5) * step;
            const joined = values[at - 1] !== undefined;
            const alone = !joined && values[at + 1] === undefined;
            const height = y(value).toFixed(1);
            if (alone) return `M${(x - step / 3).toFixed(1)} ${height}H${(x + step / 3).toFixed(1)}`;
            return `${joined ? "L" : "M"}${x.toFixed(1)} ${height}`;
        })
        .join("");
}

function pointText(
    at: number,
    times: readonly number[],
    series: readonly Series[],
    format: (value: number) => string,
) {
    const figures = series.map((each) => {
        const value = each.values[at];
        return `${each.label} ${value === undefined ? "–" : format(value)}`;
    });
    return `${clock(times[at])}: ${figures.join(", ")}`;
}

function clock(time: number | undefined): string {
    if (time === undefined) return "";
    const date = new Date(time);
    const today = date.toDateString() === new Date().toDateString();
    return date.toLocaleString(undefined, {
        hour: "2-digit",
        minute: "2-digit",
        ...(!today && { day: "numeric", month: "short" }),
    });
}
