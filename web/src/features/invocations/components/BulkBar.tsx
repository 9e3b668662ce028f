import { create } from "@bufbuild/protobuf";
import { Ban, RotateCcw } from "lucide-react";
import { useState } from "react";

import { InvocationFilterSchema } from "@/api/generated/eventflow/v1/invocation_pb";
import { useAccess } from "@/api/useAccess";
import { Button } from "@/components/Button";
import { BulkDialog } from "@/components/calls/BulkDialog";
import type { BulkKind } from "@/lib/calls/bulk";
import { filterToWire, isEmpty, type Filter } from "@/lib/calls/filter";
import { filterInWords } from "@/lib/calls/words";
import { plural } from "@/lib/numbers";
import { ALL_NAMESPACES } from "@/paths";

type BulkBarProps = {
    namespace: string;
    filter: Filter;
    ticked: ReadonlySet<string>;
    onDone: () => void;
    onUntick: () => void;
};

/** Acts on the ticked calls, or where none is ticked on all that the filter holds. */
export function BulkBar({ namespace, filter, ticked, onDone, onUntick }: BulkBarProps) {
    const [kind, setKind] = useState<BulkKind | null>(null);
    const off = useAccess().missing("developer", namespace);
    const some = ticked.size > 0;
    const wire = some
        ? create(InvocationFilterSchema, { ids: [...ticked] })
        : filterToWire(filter, Date.now());
    const where = namespace === ALL_NAMESPACES ? "all namespaces" : `the namespace ${namespace}`;
    return (
        <div
            role="toolbar"
            aria-label="Actions on several calls"
            className="flex flex-wrap items-center gap-2"
        >
            <span className="text-ink-soft" role="status">
                {some
                    ? `${plural(ticked.size, "call")} ticked`
                    : isEmpty(filter)
                      ? "All calls"
                      : "All calls of the filter"}
            </span>
            <Button disabledWhy={off} onClick={() => setKind("cancel")}>
                <Ban /> Cancel …
            </Button>
            <Button disabledWhy={off} onClick={() => setKind("replay")}>
                <RotateCcw /> Replay …
            </Button>
            {some && (
                <Button kind="quiet" onClick={onUntick}>
                    Untick
                </Button>
            )}
            {kind && (
                <BulkDialog
                    kind={kind}
                    namespace={namespace}
                    filter={wire}
                    onClose={() => setKind(null)}
                    onDone={onDone}
                >
                    {some
                        ? `The calls that you ticked, in ${where}.`
                        : `Calls in ${where}: ${filterInWords(filter)}.`}
                </BulkDialog>
            )}
        </div>
    );
}
