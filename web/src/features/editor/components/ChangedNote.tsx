import { useState } from "react";

import type { EventFlowFunction } from "@/api/functions";
import { Button } from "@/components/Button";
import { DiffView } from "@/components/DiffView";
import { manifestOf } from "@/manifest/manifest";
import { toYaml } from "@/manifest/yaml";

type Props = { before: EventFlowFunction; after: EventFlowFunction; onTake: () => void; onKeep: () => void };

/** Somebody else saved the function while it was edited here. */
export function ChangedNote({ before, after, onTake, onKeep }: Props) {
    const [shown, setShown] = useState(false);
    return (
        <section
            role="alert"
            aria-label="Changed meanwhile"
            className="flex flex-col gap-3 rounded-md border border-wait/40 bg-wait/10 px-3 py-2.5"
        >
            <p>
                <strong className="font-semibold">The function was changed meanwhile.</strong> Take over what
                it is now, which drops your edits, or keep yours, which replace that change when you save.
            </p>
            {shown && (
                <DiffView
                    before={toYaml(manifestOf(before))}
                    after={toYaml(manifestOf(after))}
                    label="The other change"
                />
            )}
            <div className="flex flex-wrap gap-2">
                <Button onClick={() => setShown(!shown)}>
                    {shown ? "Hide the other change" : "Show the other change"}
                </Button>
                <Button onClick={onTake}>Take theirs</Button>
                <Button onClick={onKeep}>Keep mine</Button>
            </div>
        </section>
    );
}
