import { ErrorNote } from "@/components/states";

import type { Refusal } from "../api/useSave";

/** Why it was not saved. Rules that belong to a field stand there; the others here. */
export function Refused({ refusal }: { refusal: Refusal | null }) {
    if (!refusal) return null;
    return (
        <div className="flex flex-col gap-2">
            <ErrorNote error={refusal.error} />
            {refusal.others.length > 0 && (
                <ul className="list-disc pl-6 text-[0.93rem] text-bad">
                    {refusal.others.map((each) => (
                        <li key={each}>{each}</li>
                    ))}
                </ul>
            )}
        </div>
    );
}
