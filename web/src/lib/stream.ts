import { isFinal } from "@/api/errors";

export type StreamState =
    | { phase: "connecting" }
    | { phase: "live" }
    /** Lost; the next try is at `retryAt` (milliseconds since 1970). */
    | { phase: "disconnected"; error: unknown; retryAt: number }
    /** The server ended the stream on purpose: there is no more to come. */
    | { phase: "ended" }
    /** It makes no sense to try again. */
    | { phase: "failed"; error: unknown };

export type StreamOptions<T> = {
    /**
     * Opens the stream; the next try after a loss calls it again, so it reads its own place to resume from. It calls
     * `opened` when the server has answered (`onHeader`): a stream may be silent for long. A first message says so too.
     */
    open: (signal: AbortSignal, opened: () => void) => AsyncIterable<T>;
    onMessage: (message: T) => void;
    onState: (state: StreamState) => void;
    /** A stream that says nothing for so long is taken for dead. 0: silence is normal. */
    heartbeatTimeoutMs: number;
    /** The server's normal end of the stream means that all was told; else it is opened again. */
    endsByItself: boolean;
    signal: AbortSignal;
};

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/** Told to the other streams of the page when one has found the server again. */
const REACHED = "eventflow:reached";

export const SILENT = new Error("the stream went silent");

/** The wait before try number `failures` + 1: doubled each time, spread by a fifth, bounded. */
export function backoff(failures: number, random: () => number = Math.random): number {
    const wait = Math.min(FIRST_WAIT_MS * 2 ** Math.min(failures, 10), LONGEST_WAIT_MS);
    return wait * (0.8 + 0.4 * random());
}

/** Follows a stream until `signal` is aborted, it ends by itself, or an error is final. Opens it again after a loss. */
export async function follow<T>(options: StreamOptions<T>): Promise<void> {
    const { onState, signal } = options;
    let failures = 0;
    while (!signal.aborted) {
        onState({ phase: "connecting" });
        try {
            await once(options, () => {
                if (failures !== 0) {
                    failures = 0;
                    window.dispatchEvent(new Event(REACHED));
                }
                onState({ phase: "live" });
            });
            if (signal.aborted) return;
            if (options.endsByItself) return onState({ phase: "ended" });
            throw new Error("the server ended the stream");
        } catch (error) {
            if (signal.aborted) return;
            if (isFinal(error)) return onState({ phase: "failed", error });
            const wait = backoff(failures);
            failures += 1;
            onState({ phase: "disconnected", error, retryAt: Date.now() + wait });
            await pause(wait, signal);
        }
    }
}

/** One life of the stream. Throws when it is lost or goes silent. */
async function once<T>(options: StreamOptions<T>, onLive: () => void): Promise<void> {
    const life = new AbortController();
    const end = () => life.abort(options.signal.reason);
    options.signal.addEventListener("abort", end, { once: true });
    let watchdog: ReturnType<typeof setTimeout> | undefined;
    const alive = () => {
        clearTimeout(watchdog);
        if (options.heartbeatTimeoutMs > 0) {
            watchdog = setTimeout(() => life.abort(SILENT), options.heartbeatTimeoutMs);
        }
    };
    let live = false;
    const opened = () => {
        if (live || life.signal.aborted) return;
        live = true;
        onLive();
    };
    try {
        alive();
        for await (const message of options.open(life.signal, opened)) {
            // What was read just before the end is no longer wanted.
            if (options.signal.aborted) return;
            alive();
            opened();
            options.onMessage(message);
        }
    } finally {
        clearTimeout(watchdog);
        options.signal.removeEventListener("abort", end);
    }
}

/** Waits, but not longer than until the signal, until the browser is back on line, or another stream got through. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
        const done = () => {
            clearTimeout(timer);
            signal.removeEventListener("abort", done);
            for (const news of ["online", REACHED]) window.removeEventListener(news, done);
            resolve();
        };
        const timer = setTimeout(done, ms);
        signal.addEventListener("abort", done);
        for (const news of ["online", REACHED]) window.addEventListener(news, done);
    });
}
