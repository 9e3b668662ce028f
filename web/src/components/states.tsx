import { CloudOff, Inbox, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";

import { problemOf } from "@/api/errors";
import type { StreamState } from "@/lib/stream";
import { useNow } from "@/lib/useNow";

import { Button } from "./Button";

/** Something is on its way. Rows of the height of what comes, so that nothing jumps. */
export function Loading({ label = "Loading", rows = 4 }: { label?: string; rows?: number }) {
    return (
        <div role="status" aria-label={label} className="flex flex-col gap-2 p-4">
            {Array.from({ length: rows }, (_, row) => (
                <div key={row} aria-hidden className="h-9 animate-pulse rounded-md bg-raised" />
            ))}
        </div>
    );
}

/** There is nothing here, why, and what can be done about it. */
export function EmptyState({
    title,
    children,
    icon,
}: {
    title: string;
    children?: ReactNode;
    icon?: ReactNode;
}) {
    return (
        <div className="flex flex-col items-center gap-3 px-4 py-12 text-center">
            <span aria-hidden className="text-ink-faint [&>svg]:size-8">
                {icon ?? <Inbox />}
            </span>
            <h2 className="text-lg font-semibold">{title}</h2>
            {children && (
                <div className="flex max-w-2xl flex-col items-center gap-3 text-ink-soft">{children}</div>
            )}
        </div>
    );
}

/** An error in the place of what could not be shown. */
export function ErrorState({ error, onRetry }: { error: unknown; onRetry?: () => void }) {
    const problem = problemOf(error);
    return (
        <div role="alert" className="flex flex-col items-center gap-3 px-4 py-12 text-center">
            <span aria-hidden className="text-bad [&>svg]:size-8">
                {problem.unreachable ? <CloudOff /> : <TriangleAlert />}
            </span>
            <h2 className="text-lg font-semibold">{problem.title}</h2>
            <p className="max-w-2xl text-ink-soft [overflow-wrap:anywhere]">{problem.message}</p>
            {problem.reason && <p className="font-mono text-[0.8rem] text-ink-faint">{problem.reason}</p>}
            {onRetry && !problem.unreachable && <Button onClick={onRetry}>Try again</Button>}
        </div>
    );
}

/** An error in one box, above a form or inside a panel. */
export function ErrorNote({ error }: { error: unknown }) {
    const { title, message } = problemOf(error);
    return (
        <div
            role="alert"
            className="flex gap-2 rounded-md border border-bad/40 bg-bad/10 px-3 py-2 text-[0.93rem]"
        >
            <TriangleAlert aria-hidden className="mt-0.5 size-4 shrink-0 text-bad" />
            <p className="min-w-0 [overflow-wrap:anywhere]">
                <strong className="font-semibold">{title}.</strong> {message}
            </p>
        </div>
    );
}

/** Says that what is shown is old, since when the connection is lost, and when it is tried again. */
export function DisconnectedNote({ state }: { state: StreamState }) {
    const now = useNow();
    if (state.phase !== "disconnected") return null;
    const seconds = Math.max(0, Math.ceil((state.retryAt - now) / 1000));
    return (
        <div
            role="status"
            className="flex items-center gap-2 rounded-md border border-wait/40 bg-wait/10 px-3 py-2"
        >
            <CloudOff aria-hidden className="size-4 shrink-0 text-wait" />
            <span>
                Connection lost: this is how it was.{" "}
                {seconds > 0 ? `Next try in ${seconds} s.` : "Trying again."}
            </span>
        </div>
    );
}

const PHASES: Record<StreamState["phase"], [string, string]> = {
    connecting: ["Connecting", "bg-busy animate-pulse"],
    live: ["Live", "bg-good"],
    disconnected: ["Disconnected", "bg-wait animate-pulse"],
    ended: ["Complete", "bg-idle"],
    failed: ["Stopped", "bg-bad"],
};

/** A dot and a word: whether what is shown is live. */
export function LiveMark({ state }: { state: StreamState }) {
    const [text, dot] = PHASES[state.phase];
    return (
        <span role="status" className="inline-flex items-center gap-1.5 text-[0.85rem] text-ink-faint">
            <span aria-hidden className={`size-2 rounded-full ${dot}`} />
            {text}
        </span>
    );
}
