import { Download } from "lucide-react";

import { problemOf } from "@/api/errors";
import { Button, LinkButton } from "@/components/Button";
import { ContentView } from "@/components/calls/ContentView";
import { Panel } from "@/components/Page";
import { Badge } from "@/components/StateBadge";
import { EmptyState, ErrorNote, Loading } from "@/components/states";
import { extensionOf, typeOf } from "@/lib/calls/content";
import { bytesText } from "@/lib/numbers";
import { spanText } from "@/lib/time";
import { paths } from "@/paths";

import type { Outcome } from "../api/invoke";

type Props = { namespace: string; name: string; outcome: Outcome | null; busy: boolean };

/** What came back from a call. */
export function OutcomeView({ namespace, name, outcome, busy }: Props) {
    return (
        <Panel
            title="Answer"
            actions={
                outcome?.id &&
                !busy && (
                    <LinkButton kind="quiet" to={paths.invocation(namespace, outcome.id)}>
                        Open the record
                    </LinkButton>
                )
            }
        >
            <div aria-live="polite">
                {busy ? (
                    <Loading label="Waiting for the answer" rows={3} />
                ) : outcome === null ? (
                    <EmptyState title="Not called yet">
                        <p>The answer comes here. Each call is recorded, with its logs.</p>
                    </EmptyState>
                ) : (
                    <Told outcome={outcome} name={name} />
                )}
            </div>
        </Panel>
    );
}

function Told({ outcome, name }: { outcome: Outcome; name: string }) {
    if (outcome.kind === "accepted") {
        return (
            <p className="flex flex-wrap items-center gap-3">
                <Badge text="Accepted" tone="busy" />
                It is recorded and runs by itself: {outcome.id}
            </p>
        );
    }
    if (outcome.kind === "failed") {
        const why = problemOf(outcome.error).facts["functionReason"];
        return (
            <div className="flex flex-col gap-3">
                <p className="flex flex-wrap items-center gap-3">
                    <Badge text={why ?? "Refused"} tone="bad" />
                    <span className="text-ink-faint">after {spanText(outcome.ms)}</span>
                </p>
                <ErrorNote error={outcome.error} />
            </div>
        );
    }
    return (
        <div className="flex flex-col gap-3">
            <p className="flex flex-wrap items-center gap-3">
                <Badge text={String(outcome.status)} tone={outcome.status < 400 ? "good" : "bad"} />
                <span className="text-ink-faint">
                    {spanText(outcome.ms)} · {outcome.contentType || "no content type"} ·{" "}
                    {bytesText(outcome.bytes.length)}
                </span>
                {outcome.bytes.length > 0 && (
                    <Button kind="quiet" onClick={() => save(outcome.bytes, outcome.contentType, name)}>
                        <Download aria-hidden />
                        Download
                    </Button>
                )}
            </p>
            <ContentView bytes={outcome.bytes} contentType={outcome.contentType} label="Answer" />
        </div>
    );
}

/** As bytes of no kind, so that the browser opens nothing. */
function save(bytes: Uint8Array<ArrayBuffer>, contentType: string, name: string) {
    const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `${name}.${extensionOf(typeOf(bytes, contentType))}`;
    link.click();
    URL.revokeObjectURL(url);
}
