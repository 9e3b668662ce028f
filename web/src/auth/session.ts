/**
 * Who is logged in, in this tab only: the token lies in sessionStorage and goes with the tab. It is never written where
 * another site or a later visitor could find it.
 */
export type Session = { token: string; username: string; expiresAt: number };

export type SessionEnd = "expired" | "logged-out";

const KEY = "eventflow.session";
/** The longest wait that setTimeout knows. */
const LONGEST_WAIT = 2 ** 31 - 1;

let current: Session | null = read();
let end: SessionEnd | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
const listeners = new Set<() => void>();

function read(): Session | null {
    try {
        const stored: unknown = JSON.parse(sessionStorage.getItem(KEY) ?? "null");
        return isSession(stored) && stored.expiresAt > Date.now() ? stored : null;
    } catch {
        return null;
    }
}

function isSession(value: unknown): value is Session {
    return (
        typeof value === "object" &&
        value !== null &&
        "token" in value &&
        typeof value.token === "string" &&
        "username" in value &&
        typeof value.username === "string" &&
        "expiresAt" in value &&
        typeof value.expiresAt === "number"
    );
}

function set(next: Session | null, why: SessionEnd | null) {
    current = next;
    end = why;
    if (next) sessionStorage.setItem(KEY, JSON.stringify(next));
    else sessionStorage.removeItem(KEY);
    watchExpiry();
    listeners.forEach((listener) => listener());
}

function watchExpiry() {
    clearTimeout(timer);
    if (!current) return;
    const left = current.expiresAt - Date.now();
    timer = setTimeout(
        () => (left > LONGEST_WAIT ? watchExpiry() : set(null, "expired")),
        Math.min(left, LONGEST_WAIT),
    );
}
watchExpiry();

export const session = {
    get: (): Session | null => current,
    /** Why the last session ended; null before the first one and during one. */
    ended: (): SessionEnd | null => end,
    start: (next: Session) => set(next, null),
    logOut: () => set(null, "logged-out"),
    /** The server takes this token no longer. A late answer to an older token changes nothing. */
    expire: (token: string) => {
        if (current?.token === token) set(null, "expired");
    },
    subscribe: (listener: () => void) => {
        listeners.add(listener);
        return () => {
            listeners.delete(listener);
        };
    },
};
