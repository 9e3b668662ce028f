import { useSyncExternalStore } from "react";

/** A glance at another tab does not count. */
const PATIENCE_MS = 10_000;

let visible = true;
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function set(next: boolean) {
    visible = next;
    listeners.forEach((listener) => listener());
}

document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.visibilityState === "hidden") timer = setTimeout(() => set(false), PATIENCE_MS);
    else set(true);
});

/** False once the page has been out of sight for some seconds. */
export function usePageVisible(): boolean {
    return useSyncExternalStore(
        (listener) => {
            listeners.add(listener);
            return () => {
                listeners.delete(listener);
            };
        },
        () => visible,
    );
}
