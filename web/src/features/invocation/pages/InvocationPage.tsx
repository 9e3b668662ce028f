import { Ban, RotateCcw } from "lucide-react";
import { useState } from "react";
import { Link, useParams } from "react-router";

import { InvocationState, type Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import { useAccess } from "@/api/useAccess";
import { Button } from "@/components/Button";
import { CopyButton } from "@/components/CopyButton";
import { LogViewer } from "@/components/logs/LogViewer";
import { useCallLog } from "@/components/logs/useCallLog";
import { Page } from "@/components/Page";
import { InvocationStateBadge } from "@/components/StateBadge";
import { DisconnectedNote, ErrorState, LiveMark, Loading } from "@/components/states";
import { hasEnded } from "@/lib/calls/states";
import type { StreamState } from "@/lib/stream";
import { ALL_NAMESPACES, paths } from "@/paths";
import { useCall } from "../api/useCall";
import { CancelDialog } from "../components/CancelDialog";
import { Commands } from "../components/Commands";
import { ContentPanel } from "../components/ContentPanel";
import { Facts } from "../components/Facts";
import { Outcome } from "../components/Outcome";
import { ReplayDialog } from "../components/ReplayDialog";
import { Replays } from "../components/Replays";
import { Timeline } from "../components/Timeline";

export default function InvocationPage() {
    const { namespace = "", id = "" } = useParams();
    const within = namespace === ALL_NAMESPACES ? "" : namespace;
    const call = useCall(within, id);
    const title = `Invocation ${id.slice(-12)}`;
    if (call.error) {
        return (
            <Page title={title}>
                <ErrorState error={call.error} onRetry={call.refetch} />
            </Page>
        );
    }
    if (!call.invocation) {
        return (
            <Page title={title}>
                <Loading label="Loading the record" rows={8} />
            </Page>
        );
    }
    // Another call is another page: nothing of the last one stays.
    return <Record key={id} call={call.invocation} state={call.state} refetch={call.refetch} title={title} />;
}

type RecordProps = { call: Invocation; state: StreamState; refetch: () => void; title: string };

function Record({ call, state, refetch, title }: RecordProps) {
    const { namespace, id } = call;
    return (
        <Page
            title={title}
            heading={<Heading call={call} state={state} />}
            actions={<Actions call={call} refetch={refetch} />}
        >
            <DisconnectedNote state={state} />
            <Outcome call={call} />
            <div className="grid items-start gap-4 xl:grid-cols-[minmax(0,2fr)_minmax(21rem,1fr)]">
                <div className="flex min-w-0 flex-col gap-4">
                    <Timeline call={call} />
                    <div className="grid gap-4 lg:grid-cols-2 [&>*]:min-w-0">
                        <ContentPanel
                            title="Payload"
                            part="payload"
                            size={call.payloadSize}
                            contentType={call.payloadContentType}
                            {...{ namespace, id }}
                        />
                        <ContentPanel
                            title="Result"
                            part="result"
                            size={call.resultSize}
                            contentType={call.resultContentType}
                            none={noResult(call)}
                            {...{ namespace, id }}
                        />
                    </div>
                    <CallLog call={call} />
                </div>
                <div className="flex min-w-0 flex-col gap-4">
                    <Facts call={call} />
                    {hasEnded(call.state) && <Replays call={call} />}
                </div>
            </div>
        </Page>
    );
}

function Heading({ call, state }: { call: Invocation; state: StreamState }) {
    return (
        <div className="flex min-w-0 flex-col gap-1">
            <h1 className="flex min-w-0 flex-wrap items-center gap-x-3 gap-y-1 text-xl font-semibold">
                <Link to={paths.function(call.namespace, call.function)} className="hover:underline">
                    {call.function}
                </Link>
                <InvocationStateBadge state={call.state} />
                <span className="font-normal">
                    <LiveMark state={state} />
                </span>
            </h1>
            <p className="flex min-w-0 items-center font-mono text-[0.88rem] text-ink-faint">
                <span className="truncate">{call.id}</span>
                <CopyButton text={call.id} label="Copy the id" />
            </p>
        </div>
    );
}

function Actions({ call, refetch }: { call: Invocation; refetch: () => void }) {
    const [dialog, setDialog] = useState<"cancel" | "replay" | null>(null);
    const ended = hasEnded(call.state);
    const off = useAccess().missing("developer", call.namespace);
    const close = () => setDialog(null);
    return (
        <>
            <Commands call={call} />
            {!ended && (
                <Button
                    kind="danger"
                    onClick={() => setDialog("cancel")}
                    disabledWhy={off ?? (call.cancelRequested ? "A cancel was asked for already" : undefined)}
                >
                    <Ban /> Cancel
                </Button>
            )}
            <Button
                kind="primary"
                onClick={() => setDialog("replay")}
                disabledWhy={off ?? (ended ? undefined : "It has not ended yet: cancel it first")}
            >
                <RotateCcw /> Replay
            </Button>
            {dialog === "cancel" && <CancelDialog call={call} onClose={close} onDone={refetch} />}
            {dialog === "replay" && <ReplayDialog call={call} onClose={close} />}
        </>
    );
}

function CallLog({ call }: { call: Invocation }) {
    const { store, state } = useCallLog(call.namespace, call.id);
    const ended = hasEnded(call.state);
    return (
        <section aria-label="Log" className="min-w-0">
            <h2 className="sr-only">Log</h2>
            <LogViewer
                store={store}
                state={state}
                label="Lines that this call printed"
                file={[call.function, call.id]}
                empty={
                    ended ? "It printed nothing." : "Nothing printed so far: lines appear here as they come."
                }
                className="h-[32rem] max-h-[80dvh]"
            />
            {call.logsTruncated && (
                <p className="mt-2 text-[0.9rem] text-ink-soft">It printed more than is kept of one call.</p>
            )}
        </section>
    );
}

function noResult(call: Invocation) {
    if (!hasEnded(call.state)) return <p className="text-ink-faint">Not there yet.</p>;
    if (call.state === InvocationState.SUCCEEDED || call.resultSize > 0n) return undefined;
    return <p className="text-ink-faint">None: it did not succeed.</p>;
}
