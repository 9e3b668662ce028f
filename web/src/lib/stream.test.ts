import { Code, ConnectError } from "@connectrpc/connect";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { backoff, follow, SILENT, type StreamOptions, type StreamState } from "./stream";

beforeEach(() => {
    vi.useFakeTimers();
});
afterEach(() => {
    vi.useRealTimers();
});

/** A stream that tells these messages, then ends, fails, or stays silent until it is aborted. */
async function* told(messages: readonly string[], then: "end" | "silence" | Error, signal: AbortSignal) {
    for (const message of messages) yield await Promise.resolve(message);
    if (then instanceof Error) throw then;
    if (then === "silence") {
        await new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject(signal.reason as Error)),
        );
    }
}

function start(
    lives: [readonly string[], "end" | "silence" | Error][],
    options: Partial<StreamOptions<string>> = {},
) {
    const messages: string[] = [];
    const states: StreamState[] = [];
    const life = new AbortController();
    let opened = 0;
    const done = follow<string>({
        open: (signal) => {
            const [said, then] = lives[Math.min(opened, lives.length - 1)] ?? [[], "end"];
            opened += 1;
            return told(said, then, signal);
        },
        onMessage: (message) => messages.push(message),
        onState: (state) => states.push(state),
        heartbeatTimeoutMs: 40_000,
        endsByItself: false,
        signal: life.signal,
        ...options,
    });
    const phases = () => states.map(({ phase }) => phase).filter((phase, at, all) => phase !== all[at - 1]);
    return { messages, states, phases, done, stop: () => life.abort(), opened: () => opened };
}

test("a lost stream is opened again after a wait, and goes on", async () => {
    const stream = start([
        [["a"], new ConnectError("gone", Code.Unavailable)],
        [["b"], "silence"],
    ]);
    await vi.advanceTimersByTimeAsync(100);
    expect(stream.phases()).toEqual(["connecting", "live", "disconnected"]);
    await vi.advanceTimersByTimeAsync(700);
    expect(stream.phases().slice(3)).toEqual(["connecting", "live"]);
    expect(stream.messages).toEqual(["a", "b"]);
    stream.stop();
    await stream.done;
});

test("silence longer than the heartbeat's bound is a loss; shorter is not", async () => {
    const stream = start([[["a"], "silence"]]);
    await vi.advanceTimersByTimeAsync(39_000);
    expect(stream.phases()).toEqual(["connecting", "live"]);
    await vi.advanceTimersByTimeAsync(1_500);
    const lost = stream.states.find((state) => state.phase === "disconnected");
    expect(lost?.phase === "disconnected" && lost.error).toBe(SILENT);
    stream.stop();
    await stream.done;
});

test("an error that would come again ends it: it is not asked for again and again", async () => {
    const stream = start([[[], new ConnectError("no", Code.PermissionDenied)]]);
    await stream.done;
    expect(stream.phases().at(-1)).toBe("failed");
    await vi.advanceTimersByTimeAsync(120_000);
    expect(stream.opened()).toBe(1);
});

test("a stream that ends by itself is complete; one that should not is opened again", async () => {
    const complete = start([[["a"], "end"]], { endsByItself: true });
    await complete.done;
    expect(complete.phases().at(-1)).toBe("ended");
    const endless = start([[["a"], "end"]]);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(endless.opened()).toBeGreaterThan(1);
    endless.stop();
    await endless.done;
});

test("nothing is told after it was stopped", async () => {
    const stream = start([[["a"], "silence"]]);
    await vi.advanceTimersByTimeAsync(10);
    const before = stream.states.length;
    stream.stop();
    await stream.done;
    expect(stream.states).toHaveLength(before);
});

test("waits double up to a bound, and are spread by a fifth", () => {
    const middle = () => 0.5;
    expect([0, 1, 2, 3, 10, 1000].map((failures) => backoff(failures, middle))).toEqual([
        500, 1000, 2000, 4000, 15_000, 15_000,
    ]);
    expect(backoff(0, () => 0)).toBeCloseTo(400);
    expect(backoff(0, () => 1)).toBeCloseTo(600);
});

test("a stream that waits for its next try makes it as soon as another one has found the server again", async () => {
    const lost = new ConnectError("gone", Code.Unavailable);
    const waiting = start([
        [[], lost],
        [[], lost],
        [[], lost],
        [[], lost],
        [["a"], "silence"],
    ]);
    // In its fourth wait, of 3.2 s or more.
    await vi.advanceTimersByTimeAsync(4_300);
    expect(waiting.opened()).toBe(4);
    const other = start([
        [[], lost],
        [["b"], "silence"],
    ]);
    await vi.advanceTimersByTimeAsync(650);
    expect(other.messages).toEqual(["b"]);
    expect(waiting.messages).toEqual(["a"]);
    waiting.stop();
    other.stop();
    await Promise.all([waiting.done, other.done]);
});
