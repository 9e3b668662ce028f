export type Toast = { id: number; text: string; tone: "good" | "bad" };

const SHOWN_MS = 6_000;
const MOST = 4;

let toasts: readonly Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();

function set(changed: readonly Toast[]) {
    toasts = changed;
    listeners.forEach((listener) => listener());
}

/** Says what happened, for some seconds. Errors stay until they are dismissed. */
export function toast(text: string, tone: Toast["tone"] = "good") {
    const id = next++;
    set([...toasts, { id, text, tone }].slice(-MOST));
    if (tone === "good") setTimeout(() => dismissToast(id), SHOWN_MS);
}

export function dismissToast(id: number) {
    set(toasts.filter((one) => one.id !== id));
}

export const toastStore = {
    get: () => toasts,
    subscribe: (listener: () => void) => {
        listeners.add(listener);
        return () => {
            listeners.delete(listener);
        };
    },
};
