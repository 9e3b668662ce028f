import { useEffect, useRef } from "react";

/** A function that acts once `everyMs` after it was asked first, however often it is asked until then. */
export function useThrottled(act: () => void, everyMs: number): () => void {
    const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
    useEffect(
        () => () => {
            clearTimeout(timer.current);
            timer.current = undefined;
        },
        [],
    );
    return () => {
        timer.current ??= setTimeout(() => {
            timer.current = undefined;
            act();
        }, everyMs);
    };
}
