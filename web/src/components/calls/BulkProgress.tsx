import { LinkButton, Button } from "@/components/Button";
import { ErrorNote } from "@/components/states";
import { filterToQuery, NO_FILTER } from "@/lib/calls/filter";
import type { BulkKind } from "@/lib/calls/bulk";
import { InvocationSource } from "@/api/generated/eventflow/v1/invocation_pb";
import { plural } from "@/lib/numbers";
import { paths } from "@/paths";
import { WORDS } from "./bulkActions";
import { NewCalls } from "./NewCalls";
import type { BulkRun } from "./useBulk";

type BulkProgressProps = {
    kind: BulkKind;
    run: Exclude<BulkRun, { phase: "idle" }>;
    total: number;
    namespace: string;
    onStop: () => void;
    onClose: () => void;
};

const HEADINGS = { running: "At work", done: "Done", stopped: "Stopped", failed: "It broke off" };

/** How far a bulk action is, what came of it, and what becomes of the new calls. */
export function BulkProgress({ kind, run, total, namespace, onStop, onClose }: BulkProgressProps) {
    const { done, ids } = run.progress;
    const { what, done: participle } = WORDS[kind];
    const newest = { ...NO_FILTER, source: InvocationSource.REPLAY, since: "1h" };
    return (
        <>
            <div>
                <p className="text-lg font-semibold" role="status">
                    {HEADINGS[run.phase]}: {plural(done, what)} {participle}
                    {run.phase === "running" && total > 0 && ` of ${total}`}.
                </p>
                <progress
                    className="mt-2 h-2 w-full accent-accent"
                    aria-label={`${WORDS[kind].verb} ${what}s`}
                    max={Math.max(total, done, 1)}
                    value={run.phase === "done" ? Math.max(total, done, 1) : done}
                />
            </div>
            {run.phase === "failed" && (
                <>
                    <ErrorNote error={run.error} />
                    <p className="text-ink-soft">
                        What was done before is done. Open it again to go on with the rest.
                    </p>
                </>
            )}
            {ids.length > 0 && <NewCalls ids={ids} namespace={namespace} />}
            <div className="flex flex-wrap justify-end gap-2">
                {ids.length > 0 && run.phase !== "running" && (
                    <LinkButton to={paths.invocations(namespace, filterToQuery(newest))}>
                        Show the new calls
                    </LinkButton>
                )}
                {run.phase === "running" ? (
                    <Button kind="danger" onClick={onStop}>
                        Stop here
                    </Button>
                ) : (
                    <Button kind="primary" onClick={onClose}>
                        Close
                    </Button>
                )}
            </div>
        </>
    );
}
