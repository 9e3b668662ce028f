import { useQuery } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";

import type { InvocationFilter } from "@/api/generated/eventflow/v1/invocation_pb";
import { whyNot } from "@/api/query";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextField } from "@/components/fields";
import { ErrorNote, Loading } from "@/components/states";
import { frozen, type BulkKind, type BulkRequest } from "@/lib/calls/bulk";
import { plural } from "@/lib/numbers";
import { BulkProgress } from "./BulkProgress";
import { countOf, EXPLAINED, WORDS } from "./bulkActions";
import { useBulk } from "./useBulk";

type BulkDialogProps = {
    kind: BulkKind;
    namespace: string;
    filter: InvocationFilter;
    /** Which calls these are, in words. */
    children: ReactNode;
    onClose: () => void;
    /** Something was changed. */
    onDone: () => void;
};

/** Says how many calls a bulk action is about before it happens, then how far it is and what came of it. */
export function BulkDialog({ kind, namespace, filter, children, onClose, onDone }: BulkDialogProps) {
    // The calls that are counted are the calls that it acts on.
    const [fixed] = useState(() => frozen(filter, Date.now()));
    const [opened] = useState(() => Date.now());
    const count = useQuery({
        queryKey: ["count", kind, namespace, opened],
        queryFn: ({ signal }) => countOf(kind, namespace, fixed, signal),
        gcTime: 0,
        staleTime: Infinity,
    });
    const why = whyNot(count);
    const { run, start, stop } = useBulk(kind);
    const { verb, what } = WORDS[kind];
    const title = `${verb} ${what}s`;
    const begin = (options: Pick<BulkRequest, "version" | "rate">) =>
        void start({ namespace, filter: fixed, ...options }).then(onDone);
    return (
        <Dialog title={title} onClose={onClose}>
            <div className="flex flex-col gap-4">
                {run.phase !== "idle" && (
                    <BulkProgress
                        kind={kind}
                        run={run}
                        total={count.data ?? 0}
                        namespace={namespace}
                        onStop={stop}
                        onClose={onClose}
                    />
                )}
                {run.phase === "idle" && !count.data && !why && <Loading label="Counting" rows={2} />}
                {run.phase === "idle" && why !== null && <ErrorNote error={why} />}
                {run.phase === "idle" && count.data !== undefined && (
                    <BulkForm kind={kind} count={count.data} onBegin={begin} onClose={onClose}>
                        {children}
                    </BulkForm>
                )}
            </div>
        </Dialog>
    );
}

type BulkFormProps = {
    kind: BulkKind;
    count: number;
    children: ReactNode;
    onBegin: (options: Pick<BulkRequest, "version" | "rate">) => void;
    onClose: () => void;
};

function BulkForm({ kind, count, children, onBegin, onClose }: BulkFormProps) {
    const [rate, setRate] = useState("10");
    const [version, setVersion] = useState("");
    const { verb, what, danger } = WORDS[kind];
    const makesCalls = kind === "replay" || kind === "redrive";
    const wrong = makesCalls && !/^\d{1,5}$/.test(rate) ? "The rate is a whole number" : undefined;
    const wrongVersion = makesCalls && !/^\d{0,9}$/.test(version) ? "The version is a number" : undefined;
    const none = count === 0 ? "There are none" : undefined;
    return (
        <form
            className="flex flex-col gap-4"
            onSubmit={(event) => {
                event.preventDefault();
                if (!wrong && !wrongVersion && !none)
                    onBegin({ rate: makesCalls ? Number(rate) : 0, version: Number(version) });
            }}
        >
            <p className="text-lg font-semibold" role="status">
                {count === 0
                    ? `There is no ${what} to ${verb.toLowerCase()}.`
                    : `This is about ${plural(count, what)}.`}
            </p>
            <div className="text-ink-soft [overflow-wrap:anywhere]">{children}</div>
            <p className="text-ink-soft">{EXPLAINED[kind]}</p>
            {makesCalls && (
                <div className="grid grid-cols-2 items-start gap-3">
                    <TextField
                        label="New calls a second"
                        inputMode="numeric"
                        value={rate}
                        onChange={(event) => setRate(event.target.value)}
                        error={wrong}
                        hint={rateHint(Number(rate), count)}
                    />
                    <TextField
                        label="Version"
                        inputMode="numeric"
                        placeholder="the current one"
                        value={version}
                        onChange={(event) => setVersion(event.target.value)}
                        error={wrongVersion}
                    />
                </div>
            )}
            <div className="flex flex-wrap justify-end gap-2">
                <Button kind="quiet" onClick={onClose}>
                    Close
                </Button>
                <Button
                    type="submit"
                    kind={danger ? "danger" : "primary"}
                    disabledWhy={none ?? wrong ?? wrongVersion}
                >
                    {verb} {plural(count, what)}
                </Button>
            </div>
        </form>
    );
}

function rateHint(rate: number, count: number): string {
    if (!(rate > 0)) return "0: all at once.";
    const seconds = Math.ceil(count / rate);
    return seconds <= 90
        ? `All have started in ${seconds} s.`
        : `All have started in ${Math.ceil(seconds / 60)} min.`;
}
