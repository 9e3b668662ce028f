import type { Line } from "./line";

/** Calls whose place is remembered at the same time. */
const CALLS = 2000;
/** Lines of warm copies that are remembered. */
const LOOSE = 500;

/**
 * Tells new lines from those that were seen before a stream broke. A call's lines come in the order of (attempt, seq);
 * lines between calls have no number and are told apart by time and text.
 */
export class Cursor {
    #calls = new Map<string, { attempt: number; seq: number }>();
    #loose = new Set<string>();
    #lastTime = Number.NaN;

    /** Where a call's stream goes on: `attempt:seq`, empty at its beginning. */
    after(invocation: string): string {
        const place = this.#calls.get(invocation);
        return place ? `${place.attempt}:${place.seq}` : "";
    }

    /** The time of the newest line, in milliseconds. */
    get lastTime(): number | undefined {
        return Number.isNaN(this.#lastTime) ? undefined : this.#lastTime;
    }

    /** Whether the line is new; remembers it. */
    take(line: Line): boolean {
        const fresh = line.invocation === "" ? this.#takeLoose(line) : this.#takeNumbered(line);
        if (fresh && !Number.isNaN(line.time)) {
            this.#lastTime = Number.isNaN(this.#lastTime) ? line.time : Math.max(this.#lastTime, line.time);
        }
        return fresh;
    }

    #takeNumbered({ invocation, attempt, seq }: Line): boolean {
        const place = this.#calls.get(invocation);
        if (place && (attempt < place.attempt || (attempt === place.attempt && seq <= place.seq)))
            return false;
        // Set anew, so that the map's order is that of the last use.
        this.#calls.delete(invocation);
        this.#calls.set(invocation, { attempt, seq });
        forgetOldest(this.#calls, CALLS);
        return true;
    }

    #takeLoose(line: Line): boolean {
        const key = `${line.source} ${line.time} ${line.stream} ${line.seq} ${line.text}`;
        if (this.#loose.has(key)) return false;
        this.#loose.add(key);
        forgetOldest(this.#loose, LOOSE);
        return true;
    }
}

function forgetOldest(kept: Map<string, unknown> | Set<string>, most: number): void {
    if (kept.size <= most) return;
    for (const key of kept.keys()) {
        kept.delete(key);
        return;
    }
}
