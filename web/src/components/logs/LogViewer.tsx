import { useEffect, useEffectEvent, useRef, useState, type KeyboardEvent, type ReactNode } from "react";

import { Button } from "@/components/Button";
import { DisconnectedNote, ErrorNote, LiveMark, Loading } from "@/components/states";
import { plural } from "@/lib/numbers";
import type { StreamState } from "@/lib/stream";
import { download, fileName, logFile } from "./export";
import type { Line } from "./line";
import { LogLines, type LinesHandle } from "./LogLines";
import { LogToolbar } from "./LogToolbar";
import type { LogStore } from "./store";
import { useLogView } from "./useLogView";

type LogViewerProps = {
    store: LogStore;
    state: StreamState;
    label: string;
    /** Parts of the name of a downloaded file. */
    file: readonly string[];
    /** Said while there are no lines. */
    empty: ReactNode;
    /** The address of a line's call, where lines of several calls are shown. */
    callPath?: (line: Line) => string;
    /** Lines of several functions are shown. */
    showSource?: boolean;
    className?: string;
};

/** A log: lines as they come, to follow, to hold still, to search and to keep. What it shows is only ever text. */
export function LogViewer({
    store,
    state,
    label,
    file,
    empty,
    callPath,
    showSource = false,
    className = "h-[70dvh]",
}: LogViewerProps) {
    const view = useLogView(store);
    const [follow, setFollow] = useState(true);
    const [wrap, setWrap] = useState(true);
    const [timestamps, setTimestamps] = useState(() => window.matchMedia("(min-width: 40rem)").matches);
    const search = useRef<HTMLInputElement>(null);
    const lines = useRef<LinesHandle>(null);
    const { buffer } = store;
    const manyAttempts = (buffer.at(view.end - 1)?.attempt ?? 1) > 1 || callPath !== undefined;

    const wanted = useRef<1 | -1 | null>(null);
    const step = (direction: 1 | -1) => {
        // Enter came before the search did.
        if (view.matches.query.text !== view.query) {
            wanted.current = direction;
            return;
        }
        wanted.current = null;
        const from = view.current >= 0 ? view.current : direction === 1 ? view.first - 1 : view.end;
        const line = view.matches.step(from, direction);
        if (line === undefined) return;
        setFollow(false);
        view.setCurrent(line);
        lines.current?.scrollTo(line);
    };
    const late = useEffectEvent(() => {
        if (wanted.current !== null) step(wanted.current);
    });
    useEffect(() => late(), [view.matches]);
    const actions: Record<string, () => void> = {
        "/": () => search.current?.focus(),
        n: () => step(1),
        N: () => step(-1),
        f: () => setFollow((on) => !on),
        p: () => view.setPaused(!view.paused),
        w: () => setWrap((on) => !on),
        t: () => setTimestamps((on) => !on),
        c: () => view.setMatchCase(!view.matchCase),
    };
    const onKeyDown = (event: KeyboardEvent) => {
        const find = (event.ctrlKey || event.metaKey) && event.key === "f";
        const typing = event.target instanceof HTMLInputElement;
        if (typing && event.key === "Escape") {
            // Back to the lines; what is searched for stays.
            event.preventDefault();
            lines.current?.focus();
        }
        // The browser's own search sees only the lines in sight.
        const action = find
            ? actions["/"]
            : typing || event.ctrlKey || event.metaKey || event.altKey
              ? undefined
              : actions[event.key];
        if (!action) return;
        event.preventDefault();
        action();
    };
    return (
        // eslint-disable-next-line jsx-a11y/no-static-element-interactions -- keys of the controls inside
        <div
            onKeyDown={onKeyDown}
            className={`panel flex min-h-0 min-w-0 flex-col overflow-hidden ${className}`}
        >
            <LogToolbar
                view={view}
                searchRef={search}
                onStep={step}
                follow={follow}
                onFollow={() => setFollow(!follow)}
                wrap={wrap}
                onWrap={() => setWrap(!wrap)}
                timestamps={timestamps}
                onTimestamps={() => setTimestamps(!timestamps)}
                onDownload={() =>
                    download(logFile(buffer.values(), buffer.first, timestamps), fileName(...file))
                }
            >
                <span className="text-[0.85rem] text-ink-faint">{plural(view.end - view.first, "line")}</span>
                <LiveMark state={state} />
            </LogToolbar>
            <Notes dropped={view.first} state={state} />
            {view.end === view.first ? (
                <NoLines state={state}>{empty}</NoLines>
            ) : (
                <LogLines
                    ref={lines}
                    buffer={buffer}
                    first={view.first}
                    end={view.end}
                    follow={follow && !view.paused}
                    onFollow={setFollow}
                    wrap={wrap}
                    columns={{ time: timestamps, attempt: manyAttempts, source: showSource, callPath }}
                    query={view.matches.query}
                    current={view.current}
                    label={label}
                />
            )}
            {view.paused && (
                <div className="flex items-center justify-center gap-3 border-t border-line bg-raised px-3 py-1">
                    <span role="status">Paused: {plural(view.waiting, "new line")}</span>
                    <Button kind="primary" onClick={() => view.setPaused(false)}>
                        Go on
                    </Button>
                </div>
            )}
        </div>
    );
}

/** In place of lines: they are on their way, or there are none. */
function NoLines({ state, children }: { state: StreamState; children: ReactNode }) {
    if (state.phase === "connecting") return <Loading label="Loading the log" />;
    if (state.phase === "failed") return null;
    return (
        <div className="grid min-h-24 grow place-items-center bg-code p-6 text-center text-ink-soft">
            {children}
        </div>
    );
}

function Notes({ dropped, state }: { dropped: number; state: StreamState }) {
    return (
        <>
            {dropped > 0 && (
                <p className="border-b border-line bg-raised px-3 py-1 text-[0.85rem] text-ink-soft">
                    {plural(dropped, "older line")} left this view: it keeps the newest. The record has them
                    up to the limit of a call.
                </p>
            )}
            {state.phase === "disconnected" && (
                <div className="p-2">
                    <DisconnectedNote state={state} />
                </div>
            )}
            {state.phase === "failed" && (
                <div className="p-2">
                    <ErrorNote error={state.error} />
                </div>
            )}
        </>
    );
}
