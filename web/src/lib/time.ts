import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

/** Milliseconds since 1970. */
export function msOf(time: Timestamp): number {
    return Number(time.seconds) * 1000 + time.nanos / 1e6;
}

/** Milliseconds. */
export function durationMs(duration: Duration): number {
    return Number(duration.seconds) * 1000 + duration.nanos / 1e6;
}

/** `840 µs`, `12 ms`, `3.42 s`, `2 m 5 s`, `3 h 20 m`: three digits at most say enough. */
export function spanText(ms: number): string {
    if (ms < 1) return `${Math.max(0, Math.round(ms * 1000))} µs`;
    if (ms < 10) return `${trim(ms.toFixed(1))} ms`;
    if (ms < 999.5) return `${Math.round(ms)} ms`;
    if (ms < 59_950) return `${trim((ms / 1000).toFixed(ms < 9_995 ? 2 : 1))} s`;
    const seconds = Math.round(ms / 1000);
    if (seconds < 3600) return pair(Math.floor(seconds / 60), "m", seconds % 60, "s");
    const minutes = Math.round(ms / 60_000);
    if (minutes < 48 * 60) return pair(Math.floor(minutes / 60), "h", minutes % 60, "m");
    const hours = Math.round(ms / 3_600_000);
    return pair(Math.floor(hours / 24), "d", hours % 24, "h");
}

const trim = (digits: string) => (digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits);
const pair = (large: number, unit: string, small: number, smaller: string) =>
    small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${smaller}`;

/** `just now`, `40 s ago`, `3 min ago`, `in 5 min`, `2 d ago`; older than a month: the date. */
export function relativeText(ms: number, now: number): string {
    const away = Math.abs(now - ms);
    const text = awayText(away);
    if (text === null) return new Date(ms).toLocaleDateString(undefined, { dateStyle: "medium" });
    if (away < 5_000) return "just now";
    return ms <= now ? `${text} ago` : `in ${text}`;
}

function awayText(away: number): string | null {
    if (away < 59_500) return `${Math.round(away / 1000)} s`;
    if (away < 59.5 * 60_000) return `${Math.round(away / 60_000)} min`;
    if (away < 47.5 * 3_600_000) return `${Math.round(away / 3_600_000)} h`;
    if (away < 30 * 86_400_000) return `${Math.round(away / 86_400_000)} d`;
    return null;
}

/** Local time to the millisecond with its offset, and the same in UTC. */
export function exactText(ms: number): string {
    const date = new Date(ms);
    const local = date.toLocaleString(undefined, {
        dateStyle: "medium",
        timeStyle: "long",
    });
    return `${local} (${date.toISOString()})`;
}

/** `14:03:07.120`, in local time, for logs. */
export function clockText(ms: number): string {
    const date = new Date(ms);
    const two = (value: number) => String(value).padStart(2, "0");
    const millis = String(date.getMilliseconds()).padStart(3, "0");
    return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
}
