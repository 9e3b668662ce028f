import { create } from "@bufbuild/protobuf";
import { MailCheck, RotateCcw, Trash2 } from "lucide-react";
import { useState } from "react";
import { useSearchParams } from "react-router";

import { InvocationFilterSchema } from "@/api/generated/eventflow/v1/invocation_pb";
import { useAccess } from "@/api/useAccess";
import { Button, LinkButton } from "@/components/Button";
import { BulkDialog } from "@/components/calls/BulkDialog";
import { SelectField } from "@/components/fields";
import { Page } from "@/components/Page";
import { DisconnectedNote, EmptyState, ErrorNote, ErrorState, LiveMark, Loading } from "@/components/states";
import { plural } from "@/lib/numbers";
import { useNamespace } from "@/lib/useNamespace";
import { ALL_NAMESPACES, paths } from "@/paths";
import { useGroups, type Groups } from "../api/useGroups";
import type { Wish } from "../api/wish";
import { GroupCard } from "../components/GroupCard";

export default function DeadLettersPage() {
    const namespace = useNamespace();
    const [params] = useSearchParams();
    const which = { namespace, function: params.get("function") ?? "", reason: params.get("reason") ?? "" };
    const all = useGroups(which);
    const [wish, setWish] = useState<Wish | null>(null);
    return (
        <Page title="Dead letters" actions={<LiveMark state={all.state} />}>
            <p className="max-w-3xl text-ink-soft">
                Calls that failed with all of their attempts used up. They stay here until they are redriven
                or discarded.
            </p>
            <DisconnectedNote state={all.state} />
            {all.state.phase === "failed" && !all.error && <ErrorNote error={all.state.error} />}
            <Toolbar {...which} all={all} onWish={setWish} />
            <GroupList
                namespace={namespace}
                filtered={which.function !== "" || which.reason !== ""}
                all={all}
                onWish={setWish}
            />
            {wish && (
                <BulkDialog
                    kind={wish.kind}
                    namespace={wish.namespace}
                    filter={wish.filter}
                    onClose={() => setWish(null)}
                    onDone={all.refetch}
                >
                    {wish.words}
                </BulkDialog>
            )}
        </Page>
    );
}

type ToolbarProps = {
    namespace: string;
    function: string;
    reason: string;
    all: Groups;
    onWish: (wish: Wish) => void;
};

function Toolbar({ namespace, function: name, reason, all, onWish }: ToolbarProps) {
    const [, setParams] = useSearchParams();
    const off = useAccess().missing("developer", namespace);
    const { groups } = all;
    const total = groups.reduce((sum, group) => sum + group.count, 0n);
    const set = (next: { function?: string; reason?: string }) => {
        const { function: of, reason: why } = { function: name, reason, ...next };
        setParams({ ...(of && { function: of }), ...(why && { reason: why }) });
    };
    const wish = (kind: Wish["kind"]) =>
        onWish({
            kind,
            namespace,
            filter: create(InvocationFilterSchema, { function: name, reason, deadLetter: true }),
            words: [
                namespace === ALL_NAMESPACES ? "All namespaces" : `The namespace ${namespace}`,
                name && `function ${name}`,
                reason && `reason ${reason}`,
            ]
                .filter(Boolean)
                .join(", ")
                .concat("."),
        });
    if (groups.length === 0 && !name && !reason) return null;
    return (
        <div className="flex flex-wrap items-end gap-3">
            <Choice
                label="Function"
                value={name}
                values={groups.map((group) => group.function)}
                onChoose={(next) => set({ function: next })}
            />
            <Choice
                label="Reason"
                value={reason}
                values={groups.map((group) => group.reason)}
                onChoose={(next) => set({ reason: next })}
            />
            {total > 0n && (
                <div className="flex flex-wrap items-center gap-2 sm:ml-auto">
                    <span className="text-ink-soft">
                        {plural(total, "dead letter")} in {plural(groups.length, "group")}
                    </span>
                    <Button kind="primary" disabledWhy={off} onClick={() => wish("redrive")}>
                        <RotateCcw /> Redrive all …
                    </Button>
                    <Button kind="danger" disabledWhy={off} onClick={() => wish("discard")}>
                        <Trash2 /> Discard all …
                    </Button>
                </div>
            )}
        </div>
    );
}

type ChoiceProps = {
    label: string;
    value: string;
    values: readonly string[];
    onChoose: (value: string) => void;
};

function Choice({ label, value, values, onChoose }: ChoiceProps) {
    const known = [...new Set([...values, value])].filter((one) => one !== "").sort();
    const options = [{ value: "", label: "any" }, ...known.map((one) => ({ value: one, label: one }))];
    return (
        <div className="min-w-40">
            <SelectField
                label={label}
                value={value}
                options={options}
                onChange={(event) => onChoose(event.target.value)}
            />
        </div>
    );
}

type GroupListProps = { namespace: string; filtered: boolean; all: Groups; onWish: (wish: Wish) => void };

function GroupList({ namespace, filtered, all, onWish }: GroupListProps) {
    const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
    if (all.error) return <ErrorState error={all.error} onRetry={all.refetch} />;
    if (all.loading) return <Loading label="Loading dead letters" rows={4} />;
    if (all.groups.length === 0) {
        return (
            <EmptyState
                title={filtered ? "No dead letter fits this filter" : "No dead letters"}
                icon={<MailCheck />}
            >
                {filtered ? (
                    <LinkButton to={paths.deadLetters(namespace)}>Show all dead letters</LinkButton>
                ) : (
                    <p>Whatever fails with all of its attempts used up appears here by itself.</p>
                )}
            </EmptyState>
        );
    }
    const toggle = (key: string) => {
        const next = new Set(open);
        if (!next.delete(key)) next.add(key);
        setOpen(next);
    };
    return (
        <ul aria-label="Groups of dead letters" className="flex flex-col gap-3">
            {all.groups.map((group) => {
                const key = `${group.namespace}/${group.function}/${group.reason}`;
                return (
                    <GroupCard
                        key={key}
                        group={group}
                        showNamespace={namespace === ALL_NAMESPACES}
                        open={open.has(key)}
                        onToggle={() => toggle(key)}
                        onWish={onWish}
                    />
                );
            })}
        </ul>
    );
}
