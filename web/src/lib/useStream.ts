import { useEffect, useEffectEvent, useState } from "react";

import { usePageVisible } from "./usePageVisible";
import { follow, type StreamOptions, type StreamState } from "./stream";

export type UseStream<T> = Omit<StreamOptions<T>, "signal" | "onState"> & {
    /** The stream is opened anew, from the start, when this changes. */
    key: string;
    enabled?: boolean;
    onState?: (state: StreamState) => void;
};

const CONNECTING: StreamState = { phase: "connecting" };

/**
 * Follows a stream while the component is there, through losses of the connection. While the page is out of sight the
 * stream is closed: over HTTP/1.1 a browser opens six connections to a server, for all of its tabs together.
 */
export function useStream<T>({ key, enabled = true, ...options }: UseStream<T>): StreamState {
    const [state, setState] = useState<StreamState>(CONNECTING);
    const open = useEffectEvent((signal: AbortSignal, opened: () => void) => options.open(signal, opened));
    const onMessage = useEffectEvent((message: T) => options.onMessage(message));
    const onState = useEffectEvent((next: StreamState) => {
        setState((before) => (before.phase === "live" && next.phase === "live" ? before : next));
        options.onState?.(next);
    });
    const { heartbeatTimeoutMs, endsByItself } = options;
    const visible = usePageVisible();
    useEffect(() => {
        if (!enabled || !visible) return;
        const life = new AbortController();
        void follow<T>({
            open: (signal, opened) => open(signal, opened),
            onMessage: (message) => onMessage(message),
            onState: (next) => onState(next),
            heartbeatTimeoutMs,
            endsByItself,
            signal: life.signal,
        });
        return () => life.abort();
    }, [key, enabled, visible, heartbeatTimeoutMs, endsByItself]);
    return state;
}
