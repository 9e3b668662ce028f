import type { Line } from "./line";

/** A line for tests. */
export function aLine(seq: number, text = `line ${seq}`, rest: Partial<Line> = {}): Line {
    return {
        invocation: "call",
        attempt: 1,
        seq,
        stream: "stdout",
        time: seq,
        text,
        approximate: false,
        source: "",
        ...rest,
    };
}

export function lines(from: number, to: number): Line[] {
    return Array.from({ length: to - from + 1 }, (_, index) => aLine(from + index));
}
