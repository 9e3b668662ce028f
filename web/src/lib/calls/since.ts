const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `15m`, `1h`, `7d` in milliseconds; undefined where it is none of these, or more than ten years. */
export function agoMillis(text: string): number | undefined {
    const [, count, unit] = /^([1-9]\d{0,4})([smhd])$/.exec(text) ?? [];
    if (count === undefined || unit === undefined) return undefined;
    const millis = Number(count) * (UNITS[unit] ?? 0);
    return millis <= 3650 * 86_400_000 ? millis : undefined;
}
