import type { Line } from "./line";

export type Limits = {
    /** Most lines kept. */
    readonly lines: number;
    /** Most characters kept, over all lines. */
    readonly chars: number;
};

export const LIMITS: Limits = { lines: 100_000, chars: 32 * 1024 * 1024 };

/** A line costs so much beside its text. */
const LINE_COST = 64;

/**
 * The newest lines, at most so many. A line keeps its number for ever: `first` is the number of the oldest line that
 * is still there, and equals how many were dropped before it.
 */
export class LogBuffer {
    first = 0;
    #lines: Line[] = [];
    #chars = 0;
    readonly #limits: Limits;

    constructor(limits: Limits = LIMITS) {
        this.#limits = limits;
    }

    get length(): number {
        return this.#lines.length;
    }

    /** The number that the next line will have. */
    get end(): number {
        return this.first + this.#lines.length;
    }

    at(number: number): Line | undefined {
        return this.#lines[number - this.first];
    }

    append(lines: readonly Line[]): void {
        for (const line of lines) {
            this.#lines.push(line);
            this.#chars += line.text.length + LINE_COST;
        }
        this.#trim();
    }

    clear(): void {
        this.first = this.end;
        this.#lines = [];
        this.#chars = 0;
    }

    *values(from = this.first, to = this.end): Generator<Line> {
        for (let number = Math.max(from, this.first); number < to; number += 1) {
            const line = this.at(number);
            if (line) yield line;
        }
    }

    /** Drops a sixteenth more than needed, so that the array is not moved for each line. */
    #trim(): void {
        const { lines, chars } = this.#limits;
        if (this.#lines.length <= lines && this.#chars <= chars) return;
        const keepLines = lines - Math.floor(lines / 16);
        const keepChars = chars - Math.floor(chars / 16);
        let drop = 0;
        while (
            drop < this.#lines.length &&
            (this.#lines.length - drop > keepLines || this.#chars > keepChars)
        ) {
            this.#chars -= (this.#lines[drop]?.text.length ?? 0) + LINE_COST;
            drop += 1;
        }
        this.#lines = this.#lines.slice(drop);
        this.first += drop;
    }
}
