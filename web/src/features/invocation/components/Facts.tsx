import { useQuery } from "@connectrpc/connect-query";
import { ExternalLink } from "lucide-react";
import type { ReactNode } from "react";
import { Link } from "react-router";

import type { Invocation } from "@/api/generated/eventflow/v1/invocation_pb";
import { SystemService } from "@/api/generated/eventflow/v1/system_service_pb";
import { ShortId } from "@/components/calls/ShortId";
import { StartMark } from "@/components/calls/StartMark";
import { CopyButton } from "@/components/CopyButton";
import { Panel } from "@/components/Page";
import { Elapsed, Span, Time } from "@/components/Time";
import { filterToQuery, NO_FILTER } from "@/lib/calls/filter";
import { SOURCES } from "@/lib/calls/states";
import { traceLink } from "@/lib/calls/trace";
import { paths } from "@/paths";

/** What the record says beside its times and bytes. */
export function Facts({ call }: { call: Invocation }) {
    const { namespace } = call;
    const byCaller = paths.invocations(namespace, filterToQuery({ ...NO_FILTER, caller: call.caller }));
    return (
        <Panel title="Record">
            <dl className="grid grid-cols-[auto_minmax(0,1fr)] items-baseline gap-x-5 gap-y-2 [&>dt]:text-ink-faint">
                <Fact name="Function">
                    <Link
                        to={paths.function(namespace, call.function)}
                        className="underline decoration-line-strong underline-offset-3"
                    >
                        {namespace}/{call.function}
                    </Link>
                </Fact>
                <Fact name="Version">{call.version}</Fact>
                <Fact name="Caller">
                    <Link
                        to={byCaller}
                        className="underline decoration-line-strong underline-offset-3 [overflow-wrap:anywhere]"
                    >
                        {call.caller || "unknown"}
                    </Link>
                </Fact>
                <Fact name="Came in">{SOURCES.word(call.source)}</Fact>
                <Fact name="Accepted">
                    <Time value={call.createTime} />
                </Fact>
                <Fact name="Ended">
                    <Time value={call.endTime} none="not yet" />
                </Fact>
                <Fact name="Waited">
                    <Span value={call.queueWait} />
                </Fact>
                <Fact name="Ran">
                    {call.startTime && !call.endTime ? (
                        <Elapsed since={call.startTime} />
                    ) : (
                        <Span value={call.duration} />
                    )}
                </Fact>
                <Fact name="Start">
                    <StartMark start={call.start} />
                </Fact>
                <Fact name="Attempts">
                    {call.attempt}
                    {call.lost > 0 && `, of them ${call.lost} lost with their worker`}
                </Fact>
                {call.httpStatus !== undefined && <Fact name="HTTP status">{call.httpStatus}</Fact>}
                {call.replayOf && (
                    <Fact name="Replay of">
                        <ShortId namespace={namespace} id={call.replayOf} />
                    </Fact>
                )}
                <Fact name="Trace">
                    <Trace id={call.traceId} />
                </Fact>
            </dl>
        </Panel>
    );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
    return (
        <>
            <dt>{name}</dt>
            <dd className="min-w-0">{children}</dd>
        </>
    );
}

function Trace({ id }: { id: string }) {
    const { data } = useQuery(SystemService.method.getServerInfo, {}, { staleTime: 600_000 });
    if (id === "") return <span className="text-ink-faint">–</span>;
    const link = traceLink(data?.traceLink ?? "", id);
    return (
        <span className="flex items-center gap-1">
            {link ? (
                <a
                    href={link}
                    target="_blank"
                    rel="noreferrer"
                    className="inline-flex min-w-0 items-center gap-1 font-mono text-[0.88em] underline decoration-line-strong underline-offset-3"
                >
                    <span className="truncate">{id}</span>
                    <ExternalLink aria-label="opens in a new tab" className="size-3.5 shrink-0" />
                </a>
            ) : (
                <span className="truncate font-mono text-[0.88em]" title={id}>
                    {id}
                </span>
            )}
            <CopyButton text={id} label="Copy the trace id" />
        </span>
    );
}
