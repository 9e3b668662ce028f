import { SlidersHorizontal, X } from "lucide-react";
import { useState } from "react";

import { useFunctions } from "@/api/useFunctions";
import type { InvocationState } from "@/api/generated/eventflow/v1/invocation_pb";
import { Button } from "@/components/Button";
import { filterToParams, isEmpty, NO_FILTER, type Filter } from "@/lib/calls/filter";
import { STATES } from "@/lib/calls/states";
import { CommitField } from "@/components/CommitField";
import { MoreFilters } from "./MoreFilters";
import { TimeFilter } from "./TimeFilter";

type FilterBarProps = { namespace: string; filter: Filter; onChange: (filter: Filter) => void };

/** Which calls are shown. Each change is in the address at once. */
export function FilterBar({ namespace, filter, onChange }: FilterBarProps) {
    const usesMore =
        filter.version > 0 ||
        filter.caller ||
        filter.source ||
        filter.start ||
        filter.reason ||
        filter.replayOf ||
        filter.deadLetter !== undefined;
    const [more, setMore] = useState(Boolean(usesMore));
    // On a small screen the calls come first.
    const [open, setOpen] = useState(false);
    const used = filterToParams(filter).size;
    const set = (change: Partial<Filter>) => onChange({ ...filter, ...change });
    return (
        <div role="search" aria-label="Filters" className="flex flex-col gap-3">
            <Button className="self-start sm:hidden" aria-expanded={open} onClick={() => setOpen(!open)}>
                <SlidersHorizontal /> {open ? "Hide the filters" : `Filters${used > 0 ? ` (${used})` : ""}`}
            </Button>
            <div className={`${open ? "flex" : "hidden sm:flex"} flex-wrap items-end gap-x-4 gap-y-3`}>
                <States states={filter.states} onChange={(states) => set({ states })} />
                <div className="w-full sm:w-48">
                    <FunctionField
                        namespace={namespace}
                        value={filter.function}
                        onCommit={(name) => set({ function: name })}
                    />
                </div>
                <TimeFilter filter={filter} onChange={set} />
                <div className="flex gap-1">
                    <Button kind="quiet" aria-expanded={more} onClick={() => setMore(!more)}>
                        <SlidersHorizontal /> {more ? "Fewer filters" : "More filters"}
                    </Button>
                    {!isEmpty(filter) && (
                        <Button kind="quiet" onClick={() => onChange(NO_FILTER)}>
                            <X /> Clear
                        </Button>
                    )}
                </div>
            </div>
            {more && (
                <div className={open ? "" : "hidden sm:block"}>
                    <MoreFilters filter={filter} onChange={set} />
                </div>
            )}
        </div>
    );
}

type StatesProps = { states: readonly InvocationState[]; onChange: (states: InvocationState[]) => void };

function States({ states, onChange }: StatesProps) {
    return (
        <fieldset className="min-w-0">
            <legend className="mb-1 text-[0.87rem] font-medium text-ink-soft">State</legend>
            <div className="flex flex-wrap gap-1">
                {STATES.all.map((state) => {
                    const on = states.includes(state);
                    return (
                        <Button
                            key={state}
                            aria-pressed={on}
                            className={`!px-2.5 text-[0.92rem] ${on ? "!border-accent bg-accent-wash" : ""}`}
                            onClick={() =>
                                onChange(
                                    STATES.all.filter((one) => (one === state ? !on : states.includes(one))),
                                )
                            }
                        >
                            {STATES.word(state)}
                        </Button>
                    );
                })}
            </div>
        </fieldset>
    );
}

type FunctionFieldProps = { namespace: string; value: string; onCommit: (name: string) => void };

function FunctionField({ namespace, value, onCommit }: FunctionFieldProps) {
    const names = [...new Set(useFunctions(namespace).functions.map((one) => one.name))].sort();
    return (
        <>
            <CommitField
                label="Function"
                value={value}
                onCommit={onCommit}
                list="function-names"
                placeholder="any"
                mono
            />
            <datalist id="function-names">
                {names.map((name) => (
                    <option key={name} value={name} />
                ))}
            </datalist>
        </>
    );
}
