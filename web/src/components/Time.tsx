import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";

import { durationMs, exactText, msOf, relativeText, spanText } from "@/lib/time";
import { useNow } from "@/lib/useNow";

/** When something was or will be: `3 min ago`, with the exact time on hover. */
export function Time({ value, none = "–" }: { value: Timestamp | undefined; none?: string }) {
    const now = useNow();
    if (!value) return <span className="text-ink-faint">{none}</span>;
    const ms = msOf(value);
    return (
        <time dateTime={new Date(ms).toISOString()} title={exactText(ms)} className="whitespace-nowrap">
            {relativeText(ms, now)}
        </time>
    );
}

/** How long something took, with the exact figure on hover. */
export function Span({ value, none = "–" }: { value: Duration | undefined; none?: string }) {
    if (!value) return <span className="text-ink-faint">{none}</span>;
    const ms = durationMs(value);
    return (
        <span title={`${ms} ms`} className="whitespace-nowrap">
            {spanText(ms)}
        </span>
    );
}

/** How long something has taken so far; it counts on. */
export function Elapsed({ since }: { since: Timestamp }) {
    const now = useNow();
    return <span className="whitespace-nowrap">{spanText(Math.max(0, now - msOf(since)))}</span>;
}
