import { BookmarkPlus, X } from "lucide-react";
import { useState } from "react";
import { Link } from "react-router";

import { Button, IconButton } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { TextField } from "@/components/fields";
import { filterFromParams, filterToParams, filterToQuery, isEmpty, type Filter } from "@/lib/calls/filter";
import { QUICK, readSaved, SAVED_KEY, withSaved, type Saved } from "@/lib/calls/quick";
import { paths } from "@/paths";

type QuickFiltersProps = { namespace: string; filter: Filter };

function read(): Saved[] {
    try {
        return readSaved(localStorage.getItem(SAVED_KEY));
    } catch {
        return [];
    }
}

function write(saved: readonly Saved[]) {
    try {
        localStorage.setItem(SAVED_KEY, JSON.stringify(saved));
    } catch {
        // Storage is switched off: it holds for this page only.
    }
}

/** Filters that are asked for often, and those that the person kept in this browser. */
export function QuickFilters({ namespace, filter }: QuickFiltersProps) {
    const [saved, setSaved] = useState(read);
    const [naming, setNaming] = useState(false);
    const current = filterToParams(filter).toString();
    const change = (next: Saved[]) => {
        write(next);
        setSaved(next);
    };
    return (
        <nav aria-label="Quick filters" className="flex flex-wrap items-center gap-2">
            {QUICK.map((quick) => (
                <Chip
                    key={quick.label}
                    namespace={namespace}
                    label={quick.label}
                    filter={quick.filter}
                    current={current}
                />
            ))}
            {saved.map(({ name, query }) => (
                <span key={name} className="inline-flex items-center">
                    <Chip
                        namespace={namespace}
                        label={name}
                        filter={filterFromParams(new URLSearchParams(query))}
                        current={current}
                    />
                    <IconButton
                        label={`Forget the filter ${name}`}
                        onClick={() => change(saved.filter((one) => one.name !== name))}
                    >
                        <X />
                    </IconButton>
                </span>
            ))}
            {!isEmpty(filter) && (
                <Button kind="quiet" onClick={() => setNaming(true)}>
                    <BookmarkPlus /> Keep this filter
                </Button>
            )}
            {naming && (
                <NameDialog
                    onClose={() => setNaming(false)}
                    onName={(name) => {
                        change(withSaved(saved, name, filter));
                        setNaming(false);
                    }}
                />
            )}
        </nav>
    );
}

type ChipProps = { namespace: string; label: string; filter: Filter; current: string };

function Chip({ namespace, label, filter, current }: ChipProps) {
    const active = filterToParams(filter).toString() === current;
    return (
        <Link
            to={paths.invocations(namespace, filterToQuery(filter))}
            aria-current={active ? "true" : undefined}
            className={`inline-flex min-h-7 max-w-60 items-center truncate rounded-full border px-3 text-[0.88rem] ${active ? "border-accent bg-accent-wash text-ink" : "border-line text-ink-soft hover:border-line-strong hover:text-ink"}`}
        >
            {label}
        </Link>
    );
}

function NameDialog({ onName, onClose }: { onName: (name: string) => void; onClose: () => void }) {
    const [name, setName] = useState("");
    const empty = name.trim() === "";
    return (
        <Dialog title="Keep this filter" onClose={onClose}>
            <form
                className="flex flex-col gap-4"
                onSubmit={(event) => {
                    event.preventDefault();
                    if (!empty) onName(name.trim());
                }}
            >
                <TextField
                    label="Name"
                    maxLength={60}
                    value={name}
                    onChange={(event) => setName(event.target.value)}
                    hint="It is kept in this browser. To share it, send the address of the page."
                />
                <div className="flex justify-end">
                    <Button type="submit" kind="primary" disabledWhy={empty ? "It needs a name" : undefined}>
                        Keep
                    </Button>
                </div>
            </form>
        </Dialog>
    );
}
