import { SelectField } from "@/components/fields";
import type { Filter } from "@/lib/calls/filter";
import { SOURCES, STARTS, type Words } from "@/lib/calls/states";
import { CommitField } from "@/components/CommitField";

type MoreFiltersProps = { filter: Filter; onChange: (change: Partial<Filter>) => void };

const ANY = { value: "", label: "any" };
const optionsOf = <E extends number>(words: Words<E>) => [
    ANY,
    ...words.all.map((value) => ({ value: words.word(value), label: words.word(value) })),
];
const DEAD = [
    ANY,
    { value: "true", label: "dead letters only" },
    { value: "false", label: "no dead letters" },
];

export function MoreFilters({ filter, onChange }: MoreFiltersProps) {
    const { deadLetter } = filter;
    return (
        <div className="grid grid-cols-2 gap-3 sm:grid-cols-3 lg:grid-cols-4 2xl:grid-cols-7">
            <CommitField
                label="Version"
                inputMode="numeric"
                placeholder="any"
                value={filter.version ? String(filter.version) : ""}
                onCommit={(text) => onChange({ version: /^[1-9]\d{0,8}$/.test(text) ? Number(text) : 0 })}
            />
            <CommitField
                label="Caller"
                placeholder="any"
                value={filter.caller}
                onCommit={(caller) => onChange({ caller })}
            />
            <SelectField
                label="Came in"
                value={SOURCES.word(filter.source)}
                options={optionsOf(SOURCES)}
                onChange={(event) => onChange({ source: SOURCES.parse(event.target.value) ?? 0 })}
            />
            <SelectField
                label="Start"
                value={STARTS.word(filter.start)}
                options={optionsOf(STARTS)}
                onChange={(event) => onChange({ start: STARTS.parse(event.target.value) ?? 0 })}
            />
            <CommitField
                label="Reason"
                placeholder="any"
                value={filter.reason}
                onCommit={(reason) => onChange({ reason })}
            />
            <SelectField
                label="Dead letters"
                value={deadLetter === undefined ? "" : String(deadLetter)}
                options={DEAD}
                onChange={({ target: { value } }) =>
                    onChange({ deadLetter: value === "" ? undefined : value === "true" })
                }
            />
            <CommitField
                label="Replays of"
                placeholder="id of a call"
                mono
                value={filter.replayOf}
                onCommit={(replayOf) => onChange({ replayOf })}
            />
        </div>
    );
}
