import type { ReactNode } from "react";

import type { EventFlowFunction } from "@/api/functions";
import { Mode, RecordPolicy, UrlAccess } from "@/api/generated/eventflow/v1/function_pb";
import { CopyButton } from "@/components/CopyButton";
import { Panel } from "@/components/Page";
import { Time } from "@/components/Time";
import { plural } from "@/lib/numbers";

/** What is declared, in short; all of it is under YAML. Of secrets and configs only the names. */
export function Declaration({ value }: { value: EventFlowFunction }) {
    const { namespace, name, scaling, retry, queue, resources } = value;
    const url = `${window.location.origin}/fn/${namespace}/${name}/`;
    const words = [...value.command, ...value.args].join(" ");
    const sources = value.envFrom.map((each) => each.secretRef?.name ?? each.configMapRef?.name ?? "");
    return (
        <Panel title="Declaration">
            <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-5 gap-y-1.5 text-[0.93rem]">
                {value.image && <Line label="Image">{<code className="break-all">{value.image}</code>}</Line>}
                {words && <Line label="Command">{<code className="break-all">{words}</code>}</Line>}
                {value.mode === Mode.HTTP && (
                    <Line label="URL">
                        <span className="flex items-start gap-1">
                            <span className="min-w-0">
                                <code className="break-all">{url}</code>
                                <span className="block text-ink-faint">
                                    {value.url === UrlAccess.PUBLIC ? "public" : "private: needs a token"}
                                </span>
                            </span>
                            <span className="-my-1.5">
                                <CopyButton text={url} label="Copy the URL" />
                            </span>
                        </span>
                    </Line>
                )}
                <Line label="Variables">
                    {Object.keys(value.env).length === 0 && sources.length === 0
                        ? "none"
                        : [
                              ...(Object.keys(value.env).length > 0
                                  ? [Object.keys(value.env).join(", ")]
                                  : []),
                              ...sources.map((source) => `all of ${source}`),
                          ].join("; ")}
                </Line>
                <Line label="Copies">
                    {scaling
                        ? `${scaling.min ?? 0} to ${scaling.max ?? 20}, ${scaling.concurrency ?? 10} requests each`
                        : `${value.replicas ?? 0}`}
                </Line>
                <Line label="Limits">
                    {[
                        resources?.cpu && `CPU ${resources.cpu}`,
                        resources?.memory && `memory ${resources.memory}`,
                        `timeout ${value.timeout}`,
                    ]
                        .filter(Boolean)
                        .join(", ")}
                </Line>
                <Line label="Attempts">
                    {retry && retry.maxAttempts > 1
                        ? `${retry.maxAttempts}, first wait ${retry.backoff?.initial ?? "1s"}, longest ${retry.backoff?.max ?? "5m"}`
                        : "1"}
                </Line>
                <Line label="Queue">
                    {`${queue?.max ?? 10000} calls, ${queue?.maxAge ?? "24h"} at most`}
                    {value.concurrency !== undefined && `; ${plural(value.concurrency, "run")} at once`}
                </Line>
                <Line label="Record">
                    {value.record === RecordPolicy.METADATA
                        ? "without payload and result"
                        : "with payload and result"}
                </Line>
                <Line label="Changed">
                    <Time value={value.updateTime} />
                </Line>
            </dl>
        </Panel>
    );
}

function Line({ label, children }: { label: string; children: ReactNode }) {
    return (
        <>
            <dt className="text-ink-faint">{label}</dt>
            <dd className="min-w-0 [overflow-wrap:anywhere]">{children}</dd>
        </>
    );
}
