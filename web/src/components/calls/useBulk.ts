import { useEffect, useRef, useState } from "react";

import { runBulk, wait, type BulkKind, type BulkRequest, type Progress } from "@/lib/calls/bulk";
import { act } from "./bulkActions";

export type BulkRun =
    | { phase: "idle" }
    | { phase: "running"; progress: Progress }
    | { phase: "done"; progress: Progress }
    /** Stopped by the person: what was done is done. */
    | { phase: "stopped"; progress: Progress }
    | { phase: "failed"; progress: Progress; error: unknown };

const NOTHING: Progress = { done: 0, ids: [], finished: false };

/** Runs a bulk action and tells how far it is. It stops when the component goes. */
export function useBulk(kind: BulkKind) {
    const [run, setRun] = useState<BulkRun>({ phase: "idle" });
    const life = useRef<AbortController>(undefined);
    useEffect(() => () => life.current?.abort(), []);
    const start = async (request: BulkRequest) => {
        const controller = new AbortController();
        life.current = controller;
        let progress = NOTHING;
        setRun({ phase: "running", progress });
        const steps = { wait, act: (one: BulkRequest, signal: AbortSignal) => act(kind, one, false, signal) };
        try {
            await runBulk(request, steps, controller.signal, (next) => {
                progress = next;
                setRun({ phase: "running", progress });
            });
            setRun({ phase: "done", progress });
        } catch (error) {
            setRun(
                controller.signal.aborted
                    ? { phase: "stopped", progress }
                    : { phase: "failed", progress, error },
            );
        }
    };
    return { run, start, stop: () => life.current?.abort() };
}
