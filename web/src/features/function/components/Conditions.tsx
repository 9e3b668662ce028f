import type { EventFlowFunction } from "@/api/functions";
import { Panel } from "@/components/Page";
import { Badge } from "@/components/StateBadge";
import { Time } from "@/components/Time";

import { isTrouble, stateSentence } from "../api/conditions";

/** The state in words, and what is known of it. */
export function Conditions({ value }: { value: EventFlowFunction }) {
    return (
        <Panel title="State">
            <p>{stateSentence(value)}</p>
            <ul className="mt-3 flex flex-col gap-3">
                {value.conditions.map((condition) => (
                    <li key={condition.type} className="flex flex-col gap-0.5">
                        <span className="flex flex-wrap items-center gap-2">
                            <Badge
                                text={
                                    condition.status !== "False"
                                        ? condition.type
                                        : condition.type === "Degraded"
                                          ? "Healthy"
                                          : `Not ${condition.type.toLowerCase()}`
                                }
                                tone={
                                    isTrouble(condition)
                                        ? "bad"
                                        : condition.status === "Unknown"
                                          ? "idle"
                                          : "good"
                                }
                            />
                            <span className="font-mono text-[0.85rem] text-ink-soft">{condition.reason}</span>
                            <span className="text-[0.85rem] text-ink-faint">
                                <Time value={condition.lastTransitionTime} />
                            </span>
                        </span>
                        {condition.message && (
                            <span className="text-[0.93rem] text-ink-soft [overflow-wrap:anywhere]">
                                {condition.message}
                            </span>
                        )}
                    </li>
                ))}
            </ul>
        </Panel>
    );
}
