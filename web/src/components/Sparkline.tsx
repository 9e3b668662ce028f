type SparklineProps = {
    /** Oldest first. */
    values: readonly number[];
    /** Of the same length: the part of each value that went wrong. */
    bad?: readonly number[];
    /** Read aloud instead of the picture. */
    label: string;
};

const HEIGHT = 24;
const STEP = 4;

/** Bars without axes: the course of something at a glance. */
export function Sparkline({ values, bad = [], label }: SparklineProps) {
    const most = Math.max(1, ...values);
    const bar = (value: number) => (value <= 0 ? 0 : Math.max(1.5, (value / most) * HEIGHT));
    return (
        <svg
            role="img"
            aria-label={label}
            viewBox={`0 0 ${Math.max(1, values.length) * STEP} ${HEIGHT}`}
            preserveAspectRatio="none"
            className="h-6 w-full max-w-32 min-w-20"
        >
            <line x1="0" x2="100%" y1={HEIGHT - 0.5} y2={HEIGHT - 0.5} className="stroke-line" />
            {values.map((value, at) => {
                const whole = bar(value);
                const wrong = bar(Math.min(bad[at] ?? 0, value));
                return (
                    <g key={at}>
                        <rect
                            x={at * STEP}
                            y={HEIGHT - whole}
                            width={STEP - 1}
                            height={whole}
                            className="fill-accent"
                        />
                        <rect
                            x={at * STEP}
                            y={HEIGHT - wrong}
                            width={STEP - 1}
                            height={wrong}
                            className="fill-bad"
                        />
                    </g>
                );
            })}
        </svg>
    );
}
