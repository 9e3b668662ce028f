/** A round number at or above the value, to end an axis with: 1, 2, 2.5 or 5 times a power of ten. */
export function niceCeiling(value: number): number {
    if (value <= 0) return 1;
    const power = 10 ** Math.floor(Math.log10(value));
    const step = [1, 2, 2.5, 5, 10].find((each) => each * power >= value * (1 - 1e-9)) ?? 10;
    return step * power;
}
