import { Search, X } from "lucide-react";

import { FunctionState, Runtime } from "@/api/generated/eventflow/v1/function_pb";
import { Button } from "@/components/Button";
import { SelectField } from "@/components/fields";
import { FUNCTION_STATES, RUNTIMES } from "@/lib/words";

import type { Filters as FilterValues } from "../api/rows";

const STATES = [
    FunctionState.READY,
    FunctionState.PENDING,
    FunctionState.DEGRADED,
    FunctionState.PAUSED,
    FunctionState.DELETING,
].map((state) => ({ value: String(state), label: FUNCTION_STATES[state] }));
const RUNTIME_OPTIONS = [Runtime.CONTAINER, Runtime.WASM, Runtime.PROCESS].map((runtime) => ({
    value: String(runtime),
    label: RUNTIMES[runtime],
}));

type Props = {
    filters: FilterValues;
    onChange: (change: Partial<FilterValues>) => void;
    onClear: () => void;
};

export function Filters({ filters, onChange, onClear }: Props) {
    const active = filters.text !== "" || filters.states.length > 0 || filters.runtimes.length > 0;
    return (
        <search className="flex flex-wrap items-center gap-2">
            <label className="relative min-w-48 grow sm:max-w-80">
                <span className="sr-only">Search functions</span>
                <Search
                    aria-hidden
                    className="absolute top-1/2 left-2.5 size-4 -translate-y-1/2 text-ink-faint"
                />
                <input
                    type="search"
                    className="field pl-8!"
                    placeholder="Search name or image"
                    value={filters.text}
                    onChange={(event) => onChange({ text: event.target.value })}
                />
            </label>
            <div className="w-44">
                <SelectField
                    label="State"
                    labelHidden
                    value={filters.states[0] ?? ""}
                    options={[{ value: "", label: "Any state" }, ...STATES]}
                    onChange={(event) => onChange({ states: event.target.value ? [event.target.value] : [] })}
                />
            </div>
            <div className="w-44">
                <SelectField
                    label="Runtime"
                    labelHidden
                    value={filters.runtimes[0] ?? ""}
                    options={[{ value: "", label: "Any runtime" }, ...RUNTIME_OPTIONS]}
                    onChange={(event) =>
                        onChange({ runtimes: event.target.value ? [event.target.value] : [] })
                    }
                />
            </div>
            {active && (
                <Button kind="quiet" onClick={onClear}>
                    <X aria-hidden />
                    Clear
                </Button>
            )}
        </search>
    );
}
