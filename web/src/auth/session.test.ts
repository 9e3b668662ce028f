import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { session } from "./session";

beforeEach(() => {
    vi.useFakeTimers();
});
afterEach(() => {
    session.logOut();
    vi.useRealTimers();
});

const lasting = (ms: number, token = "t") => ({ token, username: "ada", expiresAt: Date.now() + ms });

test("a session is kept in this tab's storage, and nowhere else", () => {
    session.start(lasting(60_000, "secret-token"));
    expect(sessionStorage.getItem("eventflow.session")).toContain("secret-token");
    expect(JSON.stringify(localStorage)).not.toContain("secret-token");
    session.logOut();
    expect(sessionStorage.getItem("eventflow.session")).toBeNull();
    expect(session.ended()).toBe("logged-out");
});

test("it ends when the token does, and says so to whoever looks", () => {
    const told = vi.fn();
    const leave = session.subscribe(told);
    session.start(lasting(60_000));
    vi.advanceTimersByTime(59_000);
    expect(session.get()).not.toBeNull();
    vi.advanceTimersByTime(1_100);
    expect(session.get()).toBeNull();
    expect(session.ended()).toBe("expired");
    expect(told).toHaveBeenCalledTimes(2);
    leave();
});

test("a token of a year does not end at once, as a timer beyond its bound would", () => {
    session.start(lasting(365 * 86_400_000));
    vi.advanceTimersByTime(60 * 86_400_000);
    expect(session.get()).not.toBeNull();
});

test("a late refusal of an older token leaves the new session alone", () => {
    session.start(lasting(60_000, "old"));
    session.start(lasting(60_000, "new"));
    session.expire("old");
    expect(session.get()?.token).toBe("new");
    session.expire("new");
    expect(session.get()).toBeNull();
});
