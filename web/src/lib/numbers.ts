/** `0`, `12`, `1.2 k`, `34 k`, `5.6 M`. */
export function countText(value: number | bigint): string {
    const number = Number(value);
    if (number < 1000) return String(number);
    if (number < 999_500) return `${short(number / 1000)} k`;
    return `${short(number / 1_000_000)} M`;
}

/** `0 B`, `812 B`, `4.1 KiB`, `2.5 MiB`. */
export function bytesText(value: number | bigint): string {
    let number = Number(value);
    if (number < 1024) return `${number} B`;
    for (const unit of ["KiB", "MiB", "GiB"]) {
        number /= 1024;
        if (number < 1023.5 || unit === "GiB") return `${short(number)} ${unit}`;
    }
    return "";
}

/** `100 %`, `99.2 %`; never rounded up to a whole hundred. */
export function percentText(share: number): string {
    const percent = share * 100;
    if (percent >= 100) return "100 %";
    return `${percent >= 99.95 ? "99.9" : percent.toFixed(percent < 10 && percent > 0 ? 1 : percent > 90 ? 1 : 0)} %`;
}

const short = (value: number) =>
    value < 9.95 ? value.toFixed(1).replace(/\.0$/, "") : String(Math.round(value));

/** `1 call`, `3 calls`. */
export function plural(count: number | bigint, one: string, many = `${one}s`): string {
    return `${count} ${Number(count) === 1 ? one : many}`;
}
