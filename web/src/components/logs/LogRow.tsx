import { memo } from "react";
import { Link } from "react-router";

import { clockText, exactText } from "@/lib/time";
import type { Line } from "./line";
import { split, type Query } from "./search";

/** What is shown beside a line's text. */
export type Columns = {
    time: boolean;
    /** Worth showing where there is more than one. */
    attempt: boolean;
    /** The function, where lines of several are shown together. */
    source: boolean;
    /** The address of the call's page, where lines of several calls are shown together. */
    callPath?: ((line: Line) => string) | undefined;
};

type LogRowProps = { line: Line; query: Query; current: boolean; wrap: boolean; columns: Columns };

/** Longer lines are cut in the view; the file has all of them. */
const MOST_SHOWN = 5_000;

const STREAMS = {
    stdout: { mark: "", text: "text-ink" },
    stderr: { mark: "err", text: "text-bad" },
    system: { mark: "sys", text: "text-busy italic" },
} as const;

/** One border colour per attempt, in turn; the number stands beside it. */
const ATTEMPTS = ["border-line-strong", "border-busy", "border-wait", "border-good", "border-bad"];

export const LogRow = memo(function LogRow({ line, query, current, wrap, columns }: LogRowProps) {
    const { mark, text } = STREAMS[line.stream];
    const border = columns.attempt ? ATTEMPTS[(line.attempt - 1) % ATTEMPTS.length] : "border-transparent";
    return (
        <div
            data-line
            className={`flex min-h-full gap-3 border-l-3 pr-4 pl-2 hover:bg-raised ${border} ${current ? "bg-accent-wash" : ""}`}
        >
            <Gutter line={line} mark={mark} columns={columns} />
            <span
                className={`${text} ${wrap ? "min-w-0 whitespace-pre-wrap [overflow-wrap:anywhere]" : "whitespace-pre"}`}
            >
                <Marked text={line.text.slice(0, MOST_SHOWN)} query={query} current={current} />
                {line.text.length > MOST_SHOWN && (
                    <span className="text-ink-faint italic">
                        {" "}
                        … {line.text.length - MOST_SHOWN} more characters: they are in the download
                    </span>
                )}
            </span>
        </div>
    );
});

function Gutter({ line, mark, columns }: { line: Line; mark: string; columns: Columns }) {
    const known = !Number.isNaN(line.time);
    return (
        <span className="flex shrink-0 gap-3 text-ink-faint select-none">
            {columns.time && (
                <time
                    {...(known && {
                        dateTime: new Date(line.time).toISOString(),
                        title: exactText(line.time),
                    })}
                >
                    {known ? clockText(line.time) : "–".padEnd(12)}
                </time>
            )}
            {columns.source && (
                <span className="w-24 truncate sm:w-32" title={line.source}>
                    {line.source}
                </span>
            )}
            {columns.callPath && <CallLink line={line} path={columns.callPath} />}
            {columns.attempt && <span title={`Attempt ${line.attempt}`}>#{line.attempt}</span>}
            <span
                className="w-[3ch] max-sm:empty:hidden"
                title={line.approximate ? "Attributed to the call by its time only" : line.stream}
            >
                {line.approximate ? `~${mark.slice(0, 1)}` : mark}
            </span>
        </span>
    );
}

/** The end of an id: ids of one moment differ there. */
function CallLink({ line, path }: { line: Line; path: (line: Line) => string }) {
    if (line.invocation === "") return <span className="w-[8ch]" title="Between calls" />;
    return (
        <Link
            to={path(line)}
            className="block w-[8ch] underline decoration-line-strong underline-offset-2 hover:text-ink"
            title={`Invocation ${line.invocation}`}
        >
            {line.invocation.slice(-8)}
        </Link>
    );
}

function Marked({ text, query, current }: { text: string; query: Query; current: boolean }) {
    if (query.text === "") return text;
    return split(text, query).map((part, index) =>
        part.hit ? (
            <mark key={index} className={current ? "bg-accent text-accent-ink" : "bg-wait/35 text-ink"}>
                {part.text}
            </mark>
        ) : (
            part.text
        ),
    );
}
