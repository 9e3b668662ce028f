import { X } from "lucide-react";

import { useFunctions } from "@/api/useFunctions";
import { Button } from "@/components/Button";
import { CommitField } from "@/components/CommitField";
import { SelectField } from "@/components/fields";
import { LOG_STREAMS, type LogQuery } from "@/lib/calls/logQuery";

type LogFiltersProps = { namespace: string; query: LogQuery; onChange: (query: LogQuery) => void };

/** Whose lines are shown. One call needs no other filter. */
export function LogFilters({ namespace, query, onChange }: LogFiltersProps) {
    const set = (change: Partial<LogQuery>) => onChange({ ...query, ...change });
    if (query.invocation) {
        return (
            <p className="flex flex-wrap items-center gap-2">
                <span className="min-w-0 [overflow-wrap:anywhere]">
                    Of the call <code className="font-mono text-[0.92em]">{query.invocation}</code> only.
                </span>
                <Button onClick={() => set({ invocation: "" })}>
                    <X /> All calls
                </Button>
            </p>
        );
    }
    return (
        <div
            role="search"
            aria-label="Filters"
            className="grid grid-cols-2 items-end gap-3 md:grid-cols-[repeat(5,minmax(0,1fr))]"
        >
            <FunctionSelect
                namespace={namespace}
                value={query.function}
                onChoose={(name) => set({ function: name, version: 0 })}
            />
            <CommitField
                label="Version"
                placeholder="any"
                inputMode="numeric"
                value={query.version ? String(query.version) : ""}
                onCommit={(text) => set({ version: /^[1-9]\d{0,8}$/.test(text) ? Number(text) : 0 })}
            />
            <SelectField
                label="Stream"
                value={query.stream}
                options={[
                    { value: "", label: "all" },
                    ...LOG_STREAMS.map((stream) => ({ value: stream, label: stream })),
                ]}
                onChange={({ target: { value } }) =>
                    set({ stream: LOG_STREAMS.find((stream) => stream === value) ?? "" })
                }
            />
            <CommitField
                label="Lines with"
                placeholder="any text"
                value={query.contains}
                onCommit={(contains) => set({ contains })}
            />
            <CommitField
                label="Call"
                placeholder="any id"
                mono
                value={query.invocation}
                onCommit={(invocation) => set({ invocation })}
            />
        </div>
    );
}

type FunctionSelectProps = { namespace: string; value: string; onChoose: (name: string) => void };

function FunctionSelect({ namespace, value, onChoose }: FunctionSelectProps) {
    const names = new Set(useFunctions(namespace).functions.map((one) => one.name));
    if (value) names.add(value);
    const options = [
        { value: "", label: "all functions" },
        ...[...names].sort().map((name) => ({ value: name, label: name })),
    ];
    return (
        <SelectField
            label="Function"
            value={value}
            options={options}
            onChange={(event) => onChoose(event.target.value)}
        />
    );
}
