import type { LogBuffer } from "./buffer";

export type Query = { readonly text: string; readonly matchCase: boolean };

export type Part = { readonly text: string; readonly hit: boolean };

/** Most marked places in one line; the rest of it is shown plain. */
const MOST_PARTS = 500;

/** The text in pieces: those that match are marked. Joined, they are the text again. */
export function split(text: string, query: Query): Part[] {
    const wanted = query.matchCase ? query.text : query.text.toLowerCase();
    const inside = query.matchCase ? text : foldCase(text);
    if (wanted === "") return [{ text, hit: false }];
    const parts: Part[] = [];
    let from = 0;
    while (parts.length < MOST_PARTS) {
        const at = inside.indexOf(wanted, from);
        if (at < 0) break;
        if (at > from) parts.push({ text: text.slice(from, at), hit: false });
        from = at + wanted.length;
        parts.push({ text: text.slice(at, from), hit: true });
    }
    if (from < text.length || parts.length === 0) parts.push({ text: text.slice(from), hit: false });
    return parts;
}

/** Lower case of the same length, so that places in it are places in the text (`İ` alone would grow). */
function foldCase(text: string): string {
    const lower = text.toLowerCase();
    return lower.length === text.length ? lower : Array.from(text, foldChar).join("");
}

function foldChar(char: string): string {
    const lower = char.toLowerCase();
    return lower.length === char.length ? lower : char;
}

/** The lines that match, kept up to date as lines come and go: each line is looked at once. */
export class Matches {
    readonly query: Query;
    #found: number[] = [];
    #searched = 0;

    constructor(query: Query) {
        this.query = query;
    }

    /** Numbers of the matching lines, in order. */
    get found(): readonly number[] {
        return this.#found;
    }

    /** Looks at the lines up to `end` that were not looked at yet. */
    update(buffer: LogBuffer, end = buffer.end): void {
        this.#forget(buffer.first);
        const { text, matchCase } = this.query;
        if (text !== "") {
            const wanted = matchCase ? text : text.toLowerCase();
            for (let number = Math.max(this.#searched, buffer.first); number < end; number += 1) {
                const line = buffer.at(number)?.text ?? "";
                if ((matchCase ? line : foldCase(line)).includes(wanted)) this.#found.push(number);
            }
        }
        this.#searched = Math.max(this.#searched, end);
    }

    /** The match behind `from` (or before it), around the ends; undefined where there is none. */
    step(from: number, direction: 1 | -1): number | undefined {
        const at = firstAtLeast(this.#found, direction === 1 ? from + 1 : from);
        if (direction === 1) return this.#found[at] ?? this.#found[0];
        return this.#found[at - 1] ?? this.#found.at(-1);
    }

    /** Which match it is, from 1; 0 where the line is none. */
    position(number: number): number {
        const at = firstAtLeast(this.#found, number);
        return this.#found[at] === number ? at + 1 : 0;
    }

    #forget(first: number): void {
        const gone = firstAtLeast(this.#found, first);
        if (gone > 0) this.#found = this.#found.slice(gone);
    }
}

function firstAtLeast(sorted: readonly number[], wanted: number): number {
    let low = 0;
    let high = sorted.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if ((sorted[middle] ?? 0) < wanted) low = middle + 1;
        else high = middle;
    }
    return low;
}
