import { ArrowDown, ArrowUp } from "lucide-react";
import type { ReactNode } from "react";

/** A table that scrolls sideways in its own frame where the screen is narrow. */
export function Table({ label, head, children }: { label: string; head: ReactNode; children: ReactNode }) {
    return (
        <div
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region has to be reachable by keyboard
            tabIndex={0}
            role="region"
            aria-label={label}
            className="overflow-x-auto"
        >
            <table className="w-full border-collapse text-left" aria-label={label}>
                <thead className="text-[0.82rem] text-ink-faint">
                    <tr className="border-b border-line">{head}</tr>
                </thead>
                <tbody className="[&>tr]:border-b [&>tr]:border-line/60 [&>tr:hover]:bg-raised/50 [&>tr:last-child]:border-b-0">
                    {children}
                </tbody>
            </table>
        </div>
    );
}

export type Sort<K extends string> = { by: K; down: boolean };

type ThProps = { children: ReactNode; numeric?: boolean; className?: string };

const CELL = "px-3 py-2 font-medium whitespace-nowrap";

export function Th({ children, numeric = false, className = "" }: ThProps) {
    return (
        <th scope="col" className={`${CELL} ${numeric ? "text-right" : ""} ${className}`}>
            {children}
        </th>
    );
}

type SortThProps<K extends string> = ThProps & { by: K; sort: Sort<K>; onSort: (sort: Sort<K>) => void };

/** A column that can be sorted by: a press sorts, another one turns the order round. */
export function SortTh<K extends string>({
    by,
    sort,
    onSort,
    children,
    numeric = false,
    className = "",
}: SortThProps<K>) {
    const active = sort.by === by;
    const order = active ? (sort.down ? "descending" : "ascending") : "none";
    const Arrow = sort.down ? ArrowDown : ArrowUp;
    return (
        <th scope="col" aria-sort={order} className={`${CELL} ${numeric ? "text-right" : ""} ${className}`}>
            <button
                type="button"
                className="inline-flex items-center gap-1 hover:text-ink"
                onClick={() => onSort({ by, down: active ? !sort.down : numeric })}
            >
                {!numeric && children}
                <Arrow aria-hidden className={`size-3.5 ${active ? "" : "opacity-0"}`} />
                {numeric && children}
            </button>
        </th>
    );
}

export function Td({ children, numeric = false, className = "" }: ThProps) {
    return (
        <td className={`px-3 py-2 align-middle ${numeric ? "text-right" : ""} ${className}`}>{children}</td>
    );
}
