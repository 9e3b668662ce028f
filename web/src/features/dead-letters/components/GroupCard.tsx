import { create } from "@bufbuild/protobuf";
import { ChevronRight, RotateCcw, Trash2 } from "lucide-react";
import { useId } from "react";
import { Link } from "react-router";

import { type DeadLetterGroup, InvocationFilterSchema } from "@/api/generated/eventflow/v1/invocation_pb";
import { useAccess } from "@/api/useAccess";
import { Button } from "@/components/Button";
import { Time } from "@/components/Time";
import { countText, plural } from "@/lib/numbers";
import { paths } from "@/paths";
import type { Wish } from "../api/wish";
import { Letters } from "./Letters";

type GroupCardProps = {
    group: DeadLetterGroup;
    showNamespace: boolean;
    open: boolean;
    onToggle: () => void;
    onWish: (wish: Wish) => void;
};

/** Dead letters of one function that failed for one reason: what happened, and what can be done with all of them. */
export function GroupCard({ group, showNamespace, open, onToggle, onWish }: GroupCardProps) {
    const { namespace, function: name, reason, count } = group;
    const off = useAccess().missing("developer", namespace);
    const id = useId();
    const wish = (kind: Wish["kind"]) =>
        onWish({
            kind,
            namespace,
            filter: create(InvocationFilterSchema, { function: name, reason, deadLetter: true }),
            words: `Dead letters of ${namespace}/${name} that failed for the reason ${reason || "unknown"}.`,
        });
    return (
        <li className="panel min-w-0">
            <div className="flex flex-wrap items-start gap-x-4 gap-y-2 p-4">
                <div className="flex min-w-0 grow basis-80 items-start gap-3">
                    <span
                        className="min-w-12 shrink-0 rounded-md bg-bad/12 px-2 py-1 text-center text-lg font-semibold text-bad"
                        title={plural(count, "dead letter")}
                    >
                        {countText(count)}
                    </span>
                    <div className="min-w-0">
                        <h2 className="flex flex-wrap items-baseline gap-x-2 font-semibold">
                            <Link
                                to={paths.function(namespace, name)}
                                className="[overflow-wrap:anywhere] hover:underline"
                            >
                                {showNamespace && (
                                    <span className="font-normal text-ink-faint">{namespace}/</span>
                                )}
                                {name}
                            </Link>
                            <span className="font-mono text-[0.92em] font-normal text-bad">
                                {reason || "no reason"}
                            </span>
                        </h2>
                        <p
                            className="line-clamp-2 text-ink-soft [overflow-wrap:anywhere]"
                            title={group.sampleMessage}
                        >
                            {group.sampleMessage || "No more is known."}
                        </p>
                        <p className="mt-1 text-[0.87rem] text-ink-faint">
                            newest <Time value={group.newestTime} /> · oldest{" "}
                            <Time value={group.oldestTime} />
                        </p>
                    </div>
                </div>
                <div className="flex flex-wrap gap-2">
                    <Button disabledWhy={off} onClick={() => wish("redrive")}>
                        <RotateCcw /> Redrive …
                    </Button>
                    <Button kind="danger" disabledWhy={off} onClick={() => wish("discard")}>
                        <Trash2 /> Discard …
                    </Button>
                </div>
            </div>
            <div className="border-t border-line">
                <button
                    type="button"
                    aria-expanded={open}
                    aria-controls={id}
                    onClick={onToggle}
                    className="flex min-h-10 w-full items-center gap-2 px-4 text-left text-ink-soft hover:bg-raised hover:text-ink"
                >
                    <ChevronRight
                        aria-hidden
                        className={`size-4 transition-transform ${open ? "rotate-90" : ""}`}
                    />
                    {open ? "Hide the calls" : `Show ${Number(count) === 1 ? "the call" : "the calls"}`}
                </button>
                <div id={id}>{open && <Letters group={group} onWish={onWish} />}</div>
            </div>
        </li>
    );
}
