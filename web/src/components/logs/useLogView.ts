import { useDeferredValue, useMemo, useState, useSyncExternalStore } from "react";

import { Matches } from "./search";
import type { LogStore } from "./store";

export type LogView = {
    /** The number of the first line that is there, and the one behind the last line in view. */
    first: number;
    end: number;
    paused: boolean;
    setPaused: (paused: boolean) => void;
    /** Lines that came while the view stood still. */
    waiting: number;
    query: string;
    setQuery: (query: string) => void;
    matchCase: boolean;
    setMatchCase: (matchCase: boolean) => void;
    matches: Matches;
    /** The number of the line that the search stands at; -1: at none. */
    current: number;
    setCurrent: (line: number) => void;
};

/** What of a log is in view: all of it, or while paused what was there then; and what a search finds in it. */
export function useLogView(store: LogStore): LogView {
    const version = useSyncExternalStore(store.subscribe, store.version);
    const { buffer } = store;
    const [pausedAt, setPausedAt] = useState<number | null>(null);
    const [query, setQuery] = useState("");
    const [matchCase, setMatchCase] = useState(false);
    const [current, setCurrent] = useState(-1);
    const end = pausedAt === null ? buffer.end : Math.max(pausedAt, buffer.first);
    // Typing stays quick: the search over all lines comes behind.
    const text = useDeferredValue(query);
    const matches = useMemo(() => new Matches({ text, matchCase }), [text, matchCase]);
    useMemo(() => matches.update(buffer, end), [matches, buffer, end, version]); // eslint-disable-line react-hooks/exhaustive-deps -- lines come with the version
    return {
        first: buffer.first,
        end,
        paused: pausedAt !== null,
        setPaused: (paused) => setPausedAt(paused ? buffer.end : null),
        waiting: buffer.end - end,
        query,
        setQuery: (next) => {
            setQuery(next);
            setCurrent(-1);
        },
        matchCase,
        setMatchCase,
        matches,
        current,
        setCurrent,
    };
}
