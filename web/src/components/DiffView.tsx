import { diffLines } from "diff";

type Line = { mark: "+" | "-" | " "; text: string };

/** Lines of context around a change. */
const CONTEXT = 3;

/** The lines of both texts: removed, added and common ones. */
export function diffOf(before: string, after: string): Line[] {
    return diffLines(before, after).flatMap(({ value, added, removed }) =>
        value
            .replace(/\n$/, "")
            .split("\n")
            .map((text): Line => ({ mark: added ? "+" : removed ? "-" : " ", text })),
    );
}

/** Which lines are near a change; the others are folded. */
export function shownLines(lines: readonly Line[]): boolean[] {
    const near = lines.map(() => false);
    lines.forEach(({ mark }, at) => {
        if (mark === " ") return;
        for (let line = Math.max(0, at - CONTEXT); line <= Math.min(lines.length - 1, at + CONTEXT); line++)
            near[line] = true;
    });
    return near;
}

const STYLES = { "+": "bg-good/12 text-good", "-": "bg-bad/12 text-bad", " ": "text-ink-soft" };
const SPOKEN = { "+": "added: ", "-": "removed: ", " ": "" };

/** What differs between two texts, line by line. */
export function DiffView({ before, after, label }: { before: string; after: string; label: string }) {
    const lines = diffOf(before, after);
    const shown = shownLines(lines);
    if (!shown.includes(true)) return <p className="text-ink-soft">They are equal.</p>;
    return (
        <div
            // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region has to be reachable by keyboard
            tabIndex={0}
            role="region"
            aria-label={label}
            className="max-h-[28rem] overflow-auto rounded-lg border border-line bg-code py-2 font-mono text-[0.85rem] leading-relaxed"
        >
            {lines.map(({ mark, text }, at) =>
                shown[at] ? (
                    <div key={at} className={`flex min-w-max gap-2 px-3 whitespace-pre ${STYLES[mark]}`}>
                        <span aria-hidden className="w-3 select-none">
                            {mark}
                        </span>
                        <span className="sr-only">{SPOKEN[mark]}</span>
                        {text}
                    </div>
                ) : (
                    (at === 0 || shown[at - 1]) && (
                        <div key={at} className="px-3 text-ink-faint select-none">
                            ⋯
                        </div>
                    )
                ),
            )}
        </div>
    );
}
