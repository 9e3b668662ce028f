import { create } from "@bufbuild/protobuf";
import { RotateCcw, Trash2 } from "lucide-react";
import { useState } from "react";

import {
    type DeadLetterGroup,
    type Invocation,
    InvocationFilterSchema,
} from "@/api/generated/eventflow/v1/invocation_pb";
import { useAccess } from "@/api/useAccess";
import { whyNot } from "@/api/query";
import { Button, IconButton } from "@/components/Button";
import { ShortId } from "@/components/calls/ShortId";
import { ErrorNote, Loading } from "@/components/states";
import { Span, Time } from "@/components/Time";
import { plural } from "@/lib/numbers";
import { LETTERS, useLetters } from "../api/useGroups";
import type { Wish } from "../api/wish";

type LettersProps = { group: DeadLetterGroup; onWish: (wish: Wish) => void };

/** The calls of a group, to look into and to act on one by one or as ticked. */
export function Letters({ group, onWish }: LettersProps) {
    const off = useAccess().missing("developer", group.namespace);
    const [pages, setPages] = useState(1);
    const [ticked, setTicked] = useState<ReadonlySet<string>>(new Set());
    const query = useLetters(group, pages);
    const error = whyNot(query);
    if (error) {
        return (
            <div className="p-4">
                <ErrorNote error={error} />
            </div>
        );
    }
    if (!query.data) return <Loading label="Loading the calls" rows={3} />;
    const letters = query.data.invocations;
    // One that was redriven meanwhile is there no more.
    const chosen = letters.filter((one) => ticked.has(one.id)).map((one) => one.id);
    const wish = (kind: Wish["kind"], ids: string[], words: string) =>
        onWish({
            kind,
            namespace: group.namespace,
            filter: create(InvocationFilterSchema, { ids, deadLetter: true }),
            words,
        });
    const tick = (id: string) => {
        const next = new Set(ticked);
        if (!next.delete(id)) next.add(id);
        setTicked(next);
    };
    return (
        <div className="border-t border-line">
            {chosen.length > 0 && (
                <div
                    role="toolbar"
                    aria-label="Ticked dead letters"
                    className="flex flex-wrap items-center gap-2 bg-raised px-4 py-1.5"
                >
                    <span role="status">{plural(chosen.length, "dead letter")} ticked</span>
                    <Button
                        disabledWhy={off}
                        onClick={() => wish("redrive", chosen, "The dead letters that you ticked.")}
                    >
                        <RotateCcw /> Redrive …
                    </Button>
                    <Button
                        kind="danger"
                        disabledWhy={off}
                        onClick={() => wish("discard", chosen, "The dead letters that you ticked.")}
                    >
                        <Trash2 /> Discard …
                    </Button>
                </div>
            )}
            <ul>
                {letters.map((call) => (
                    <Letter
                        key={call.id}
                        call={call}
                        ticked={ticked.has(call.id)}
                        off={off}
                        onTick={() => tick(call.id)}
                        onWish={(kind) => wish(kind, [call.id], `The call ${call.id} of ${call.function}.`)}
                    />
                ))}
            </ul>
            {query.data.nextPageToken !== "" && letters.length < 1000 && (
                <div className="border-t border-line/60 p-2 text-center">
                    <Button kind="quiet" busy={query.isFetching} onClick={() => setPages(pages + 1)}>
                        Show {LETTERS} more
                    </Button>
                </div>
            )}
        </div>
    );
}

type LetterProps = {
    call: Invocation;
    ticked: boolean;
    /** Why nothing can be done with it. */
    off: string | undefined;
    onTick: () => void;
    onWish: (kind: Wish["kind"]) => void;
};

function Letter({ call, ticked, off, onTick, onWish }: LetterProps) {
    const short = call.id.slice(-12);
    return (
        <li
            className={`flex items-center gap-3 border-b border-line/60 px-4 py-1.5 last:border-b-0 ${ticked ? "bg-accent-wash" : "hover:bg-raised/50"}`}
        >
            <input
                type="checkbox"
                className="size-4 shrink-0 accent-accent"
                aria-label={`Dead letter ${short}`}
                checked={ticked}
                onChange={onTick}
            />
            <div className="grid min-w-0 grow gap-x-4 sm:grid-cols-[auto_minmax(0,1fr)_auto] sm:items-center">
                <ShortId namespace={call.namespace} id={call.id} />
                <span className="truncate text-ink-soft" title={call.message}>
                    {call.message}
                </span>
                <span className="flex flex-wrap gap-x-3 text-[0.9rem] text-ink-faint">
                    <span>v{call.version}</span>
                    <span>{plural(call.attempt, "attempt")}</span>
                    <span className="max-md:hidden">
                        ran <Span value={call.duration} />
                    </span>
                    <Time value={call.endTime} />
                </span>
            </div>
            <span className="flex shrink-0">
                <IconButton label={`Redrive ${short}`} disabledWhy={off} onClick={() => onWish("redrive")}>
                    <RotateCcw />
                </IconButton>
                <IconButton label={`Discard ${short}`} disabledWhy={off} onClick={() => onWish("discard")}>
                    <Trash2 />
                </IconButton>
            </span>
        </li>
    );
}
