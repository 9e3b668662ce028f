import { useState } from "react";

import { SelectField, TextField } from "@/components/fields";
import type { Filter } from "@/lib/calls/filter";
import { fromLocalInput, toLocalInput } from "@/lib/calls/since";

type TimeFilterProps = { filter: Filter; onChange: (change: Partial<Filter>) => void };

const BETWEEN = "between";
const SINCE = [
    { value: "", label: "any time" },
    { value: "15m", label: "last 15 minutes" },
    { value: "1h", label: "last hour" },
    { value: "6h", label: "last 6 hours" },
    { value: "24h", label: "last 24 hours" },
    { value: "7d", label: "last 7 days" },
    { value: "30d", label: "last 30 days" },
];

/** When calls were accepted: within the last while, or between two moments in local time. */
export function TimeFilter({ filter, onChange }: TimeFilterProps) {
    const fixed = filter.from !== undefined || filter.to !== undefined;
    const [between, setBetween] = useState(fixed);
    const open = between || fixed;
    const known = SINCE.some(({ value }) => value === filter.since);
    const options = [
        ...SINCE,
        ...(known ? [] : [{ value: filter.since, label: `last ${filter.since}` }]),
        { value: BETWEEN, label: "between …" },
    ];
    const choose = (value: string) => {
        setBetween(value === BETWEEN);
        if (value !== BETWEEN) onChange({ since: value, from: undefined, to: undefined });
        else onChange({ since: "" });
    };
    return (
        <div className="flex flex-wrap items-end gap-3">
            <div className="w-44">
                <SelectField
                    label="Accepted"
                    value={open ? BETWEEN : filter.since}
                    options={options}
                    onChange={(event) => choose(event.target.value)}
                />
            </div>
            {open && (
                <>
                    <Moment label="From" value={filter.from} onChange={(from) => onChange({ from })} />
                    <Moment label="Before" value={filter.to} onChange={(to) => onChange({ to })} />
                </>
            )}
        </div>
    );
}

type MomentProps = {
    label: string;
    value: number | undefined;
    onChange: (value: number | undefined) => void;
};

function Moment({ label, value, onChange }: MomentProps) {
    return (
        <div className="w-52">
            <TextField
                type="datetime-local"
                label={label}
                value={value === undefined ? "" : toLocalInput(value)}
                onChange={(event) => onChange(fromLocalInput(event.target.value))}
            />
        </div>
    );
}
