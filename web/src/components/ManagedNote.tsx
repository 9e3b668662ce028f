import { GitBranch } from "lucide-react";

import type { EventFlowFunction } from "@/api/functions";
import { Manager } from "@/api/generated/eventflow/v1/function_pb";

import { Badge } from "./StateBadge";

const WORDS: Partial<Record<Manager, { badge: string; note: string }>> = {
    [Manager.KUBECTL]: {
        badge: "kubectl",
        note: "This function is managed with kubectl. What is changed here is overwritten by the next kubectl apply.",
    },
    [Manager.GITOPS]: {
        badge: "GitOps",
        note: "This function is managed from a Git repository. What is changed here is overwritten by the next sync: change it there.",
    },
};

/** Whether something else than EventFlow's own API writes the declaration. */
export function ManagedBadge({ value }: { value: EventFlowFunction }) {
    const words = WORDS[value.managedBy];
    return words ? <Badge text={words.badge} tone="busy" title={words.note} /> : null;
}

export function ManagedNote({ value }: { value: EventFlowFunction }) {
    const words = WORDS[value.managedBy];
    if (!words) return null;
    return (
        <p role="note" className="flex gap-2 rounded-md border border-busy/40 bg-busy/10 px-3 py-2">
            <GitBranch aria-hidden className="mt-0.5 size-4 shrink-0 text-busy" />
            {words.note}
        </p>
    );
}
