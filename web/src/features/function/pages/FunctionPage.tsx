import { Outlet, useParams } from "react-router";

import { functionKey } from "@/api/functions";
import { useActivity } from "@/api/useActivity";
import { useFunction } from "@/api/useFunctions";
import { LinkButton } from "@/components/Button";
import { ManagedBadge } from "@/components/ManagedNote";
import { Page } from "@/components/Page";
import { FunctionStateBadge } from "@/components/StateBadge";
import { DisconnectedNote, EmptyState, ErrorState, LiveMark, Loading } from "@/components/states";
import { TabNav } from "@/components/TabNav";
import { useNamespace } from "@/lib/useNamespace";
import { MODES, RUNTIMES } from "@/lib/words";
import { paths, type FunctionTab } from "@/paths";

import type { FunctionContext } from "../api/context";
import { Actions } from "../components/Actions";

const TABS: [FunctionTab, string][] = [
    ["overview", "Overview"],
    ["invoke", "Invoke"],
    ["invocations", "Invocations"],
    ["logs", "Logs"],
    ["metrics", "Metrics"],
    ["versions", "Versions"],
    ["yaml", "YAML"],
];

export default function FunctionPage() {
    const namespace = useNamespace();
    const { name = "" } = useParams();
    const { value, synced, stream } = useFunction(namespace, name);
    const { activity } = useActivity(namespace, name);

    if (!value) {
        return (
            <Page title={name}>
                {stream.phase === "failed" ? (
                    <ErrorState error={stream.error} />
                ) : synced ? (
                    <EmptyState title={`There is no function ${name} in ${namespace}`}>
                        <p>It was deleted, or the address is wrong. Records of its calls are kept.</p>
                        <div className="flex flex-wrap justify-center gap-2">
                            <LinkButton to={paths.functions(namespace)} kind="primary">
                                All functions
                            </LinkButton>
                            <LinkButton to={paths.invocations(namespace, { function: name })}>
                                Its invocations
                            </LinkButton>
                        </div>
                    </EmptyState>
                ) : (
                    <Loading label={`Loading ${name}`} rows={8} />
                )}
            </Page>
        );
    }

    const context: FunctionContext = { value, activity: activity.get(functionKey(namespace, name)) };
    return (
        <Page
            title={name}
            heading={
                <div className="flex min-w-0 flex-col gap-1">
                    <div className="flex flex-wrap items-center gap-3">
                        <h1 className="text-xl font-semibold [overflow-wrap:anywhere]">{name}</h1>
                        <FunctionStateBadge state={value.state} />
                        <ManagedBadge value={value} />
                        <LiveMark state={stream} />
                    </div>
                    <p className="text-[0.9rem] text-ink-faint">
                        {namespace} · {RUNTIMES[value.runtime]} · {MODES[value.mode]}
                        {value.version !== undefined && ` · version ${value.version}`}
                    </p>
                </div>
            }
            actions={<Actions value={value} />}
        >
            <DisconnectedNote state={stream} />
            <TabNav
                label="Function"
                tabs={TABS.map(([tab, label]) => ({
                    to: paths.function(namespace, name, tab),
                    label,
                    end: tab === "overview",
                }))}
            />
            <Outlet context={context} />
        </Page>
    );
}
