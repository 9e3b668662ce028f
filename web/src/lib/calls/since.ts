const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `15m`, `1h`, `7d` in milliseconds; undefined where it is none of these, or more than ten years. */
export function agoMillis(text: string): number | undefined {
    const [, count, unit] = /^([1-9]\d{0,4})([smhd])$/.exec(text) ?? [];
    if (count === undefined || unit === undefined) return undefined;
    const millis = Number(count) * (UNITS[unit] ?? 0);
    return millis <= 3650 * 86_400_000 ? millis : undefined;
}

/** A time as `<input type="datetime-local">` takes it: in local time, to the minute. */
export function toLocalInput(millis: number): string {
    const date = new Date(millis);
    const two = (value: number) => String(value).padStart(2, "0");
    const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
    return `${day}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The time of such an input; undefined while it is empty. */
export function fromLocalInput(text: string): number | undefined {
    const millis = text === "" ? Number.NaN : new Date(text).getTime();
    return Number.isNaN(millis) ? undefined : millis;
}
