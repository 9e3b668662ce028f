import { Flame, Snowflake } from "lucide-react";

import { StartKind } from "@/api/generated/eventflow/v1/invocation_pb";

/** Whether the code had to be started for a call. */
export function StartMark({ start }: { start: StartKind }) {
    if (start === StartKind.COLD) {
        return (
            <span
                className="inline-flex items-center gap-1 align-middle text-busy"
                title="The code had to be started for it"
            >
                <Snowflake aria-hidden className="size-3.5" />
                cold
            </span>
        );
    }
    if (start === StartKind.WARM) {
        return (
            <span
                className="inline-flex items-center gap-1 align-middle text-ink-soft"
                title="The code was there already"
            >
                <Flame aria-hidden className="size-3.5" />
                warm
            </span>
        );
    }
    return <span className="text-ink-faint">–</span>;
}
