import { useSyncExternalStore } from "react";

const EVERY_MS = 1000;

let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

/** One clock for all texts such as "3 s ago"; it stands still while nobody looks. */
function subscribe(listener: () => void) {
    listeners.add(listener);
    if (!timer) {
        now = Date.now();
        timer = setInterval(() => {
            now = Date.now();
            listeners.forEach((each) => each());
        }, EVERY_MS);
    }
    return () => {
        listeners.delete(listener);
        if (listeners.size === 0) {
            clearInterval(timer);
            timer = undefined;
        }
    };
}

/** The time, to the given step: the component is drawn again once per step. */
export function useNow(stepMs = EVERY_MS): number {
    return useSyncExternalStore(subscribe, () => Math.floor(now / stepMs) * stepMs);
}
