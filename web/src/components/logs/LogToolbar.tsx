import {
    ArrowDownToLine,
    ArrowDown,
    ArrowUp,
    CaseSensitive,
    Clock,
    Download,
    Pause,
    Play,
    WrapText,
} from "lucide-react";
import type { ReactNode, Ref } from "react";

import { Button, IconButton } from "@/components/Button";
import { countText } from "@/lib/numbers";
import type { LogView } from "./useLogView";

type ToggleProps = { label: string; keys: string; on: boolean; onToggle: () => void; children: ReactNode };

function Toggle({ label, keys, on, onToggle, children }: ToggleProps) {
    return (
        <Button
            kind="quiet"
            title={`${label} (${keys})`}
            aria-label={label}
            aria-pressed={on}
            aria-keyshortcuts={keys}
            onClick={onToggle}
            className={`!px-2 ${on ? "bg-accent-wash !text-ink" : ""}`}
        >
            {children}
        </Button>
    );
}

type LogToolbarProps = {
    view: LogView;
    searchRef: Ref<HTMLInputElement>;
    onStep: (direction: 1 | -1) => void;
    follow: boolean;
    onFollow: () => void;
    wrap: boolean;
    onWrap: () => void;
    timestamps: boolean;
    onTimestamps: () => void;
    onDownload: () => void;
    children?: ReactNode;
};

export function LogToolbar(props: LogToolbarProps) {
    const { view, follow, wrap, timestamps, children } = props;
    return (
        <div
            role="toolbar"
            aria-label="Log"
            className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-2 py-1.5"
        >
            <SearchBox view={view} searchRef={props.searchRef} onStep={props.onStep} />
            <div className="flex items-center gap-0.5">
                <Toggle label="Follow new lines" keys="f" on={follow} onToggle={props.onFollow}>
                    <ArrowDownToLine />
                </Toggle>
                <Toggle label="Pause" keys="p" on={view.paused} onToggle={() => view.setPaused(!view.paused)}>
                    {view.paused ? <Play /> : <Pause />}
                </Toggle>
                <Toggle label="Wrap long lines" keys="w" on={wrap} onToggle={props.onWrap}>
                    <WrapText />
                </Toggle>
                <Toggle label="Timestamps" keys="t" on={timestamps} onToggle={props.onTimestamps}>
                    <Clock />
                </Toggle>
                <IconButton label="Download as a file" onClick={props.onDownload}>
                    <Download />
                </IconButton>
            </div>
            <div className="ml-auto flex items-center gap-3">{children}</div>
        </div>
    );
}

function SearchBox({ view, searchRef, onStep }: Pick<LogToolbarProps, "view" | "searchRef" | "onStep">) {
    const found = view.matches.found.length;
    const position = view.matches.position(view.current);
    return (
        <div role="search" className="flex min-w-0 grow items-center gap-1 sm:max-w-md">
            <input
                ref={searchRef}
                type="search"
                className="field min-w-0"
                placeholder="Search the log"
                aria-label="Search the log"
                aria-keyshortcuts="/"
                title="Search the log (/); Enter and Shift+Enter step through the matches"
                value={view.query}
                onChange={(event) => view.setQuery(event.target.value)}
                onKeyDown={(event) => {
                    if (event.key === "Enter") onStep(event.shiftKey ? -1 : 1);
                }}
            />
            <Toggle
                label="Match upper and lower case"
                keys="c"
                on={view.matchCase}
                onToggle={() => view.setMatchCase(!view.matchCase)}
            >
                <CaseSensitive />
            </Toggle>
            <IconButton
                label="Previous match"
                onClick={() => onStep(-1)}
                disabledWhy={found === 0 ? "Nothing found" : undefined}
            >
                <ArrowUp />
            </IconButton>
            <IconButton
                label="Next match"
                onClick={() => onStep(1)}
                disabledWhy={found === 0 ? "Nothing found" : undefined}
            >
                <ArrowDown />
            </IconButton>
            <span role="status" className="min-w-[5ch] shrink-0 text-[0.82rem] text-ink-faint">
                {view.query !== "" && (found === 0 ? "none" : `${position || "–"} / ${countText(found)}`)}
            </span>
        </div>
    );
}
