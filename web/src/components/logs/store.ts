import type { LogLine } from "@/api/generated/eventflow/v1/logs_pb";
import { LogBuffer, type Limits } from "./buffer";
import { Cursor } from "./cursor";
import { lineOf, type Line } from "./line";

/** Lines become visible this often; drawing each line by itself would stop the page under a flood. */
const FLUSH_MS = 100;
/** So many waiting lines are taken over at once: timers of hidden tabs run late. */
const MOST_WAITING = 5_000;

/** What a log stream told: collects, passes over what was seen before, and tells the viewer in batches. */
export class LogStore {
    readonly buffer: LogBuffer;
    readonly cursor = new Cursor();
    #waiting: Line[] = [];
    #timer: ReturnType<typeof setTimeout> | undefined;
    #version = 0;
    readonly #listeners = new Set<() => void>();

    constructor(limits?: Limits) {
        this.buffer = new LogBuffer(limits);
    }

    /** Takes a line of the stream; one that was seen before a loss of the connection is passed over. */
    take(wire: LogLine): void {
        const line = lineOf(wire);
        if (!this.cursor.take(line)) return;
        this.#waiting.push(line);
        if (this.#waiting.length >= MOST_WAITING) this.flush();
        else this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
    }

    flush(): void {
        clearTimeout(this.#timer);
        this.#timer = undefined;
        if (this.#waiting.length === 0) return;
        this.buffer.append(this.#waiting);
        this.#waiting = [];
        this.#changed();
    }

    /** Empties what is shown; lines that were seen do not come back. */
    clear(): void {
        this.flush();
        this.buffer.clear();
        this.#changed();
    }

    /** For useSyncExternalStore. */
    readonly subscribe = (listener: () => void): (() => void) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    };
    readonly version = (): number => this.#version;

    #changed(): void {
        this.#version += 1;
        for (const listener of this.#listeners) listener();
    }
}
