import { ArrowUpToLine, ArrowDown } from "lucide-react";
import { useState } from "react";
import { useSearchParams } from "react-router";

import { Button, LinkButton } from "@/components/Button";
import { CodeView } from "@/components/CodeView";
import { Page } from "@/components/Page";
import { DisconnectedNote, EmptyState, ErrorNote, ErrorState, LiveMark, Loading } from "@/components/states";
import { filterFromParams, filterToParams, filterToQuery, isEmpty, type Filter } from "@/lib/calls/filter";
import { plural } from "@/lib/numbers";
import { useNamespace } from "@/lib/useNamespace";
import { ALL_NAMESPACES, paths } from "@/paths";
import { PAGE_SIZE, useCalls, type Calls, type PagePlace } from "../api/useCalls";
import { BulkBar } from "../components/BulkBar";
import { CallsTable } from "../components/CallsTable";
import { FilterBar } from "../components/FilterBar";
import { QuickFilters } from "../components/QuickFilters";

const NONE: ReadonlySet<string> = new Set();

export default function InvocationsPage() {
    const namespace = useNamespace();
    const [params, setParams] = useSearchParams();
    const filter = filterFromParams(params);
    const place = placeOf(params);
    const calls = useCalls(namespace, filter, place);
    const asked = `${namespace}?${params.toString()}`;
    const [ticks, setTicks] = useState({ asked, ids: NONE });
    const ticked = ticks.asked === asked ? ticks.ids : NONE;
    const tick = (ids: readonly string[], on: boolean) => {
        const next = new Set(ticked);
        for (const id of ids) {
            if (on) next.add(id);
            else next.delete(id);
        }
        setTicks({ asked, ids: next });
    };
    const untick = () => setTicks({ asked, ids: NONE });
    return (
        <Page title="Invocations" actions={<LiveMark state={calls.state} />}>
            <QuickFilters namespace={namespace} filter={filter} />
            <FilterBar
                namespace={namespace}
                filter={filter}
                onChange={(next) => setParams(filterToParams(next))}
            />
            <DisconnectedNote state={calls.state} />
            {calls.state.phase === "failed" && !calls.error && <ErrorNote error={calls.state.error} />}
            <section aria-label="Calls" className="panel min-w-0">
                <div className="flex min-h-12 flex-wrap items-center justify-between gap-2 border-b border-line px-3 py-1.5">
                    <BulkBar
                        {...{ namespace, filter, ticked }}
                        onUntick={untick}
                        onDone={() => calls.refetch()}
                    />
                    <Pages calls={calls} place={place} namespace={namespace} filter={filter} />
                </div>
                <Rows calls={calls} namespace={namespace} filter={filter} ticked={ticked} onTick={tick} />
            </section>
        </Page>
    );
}

function placeOf(params: URLSearchParams): PagePlace {
    const asOf = Number(params.get("asOf") ?? Number.NaN);
    return {
        token: params.get("after") ?? "",
        asOf: Number.isSafeInteger(asOf) && asOf > 0 ? asOf : undefined,
    };
}

type RowsProps = {
    calls: Calls;
    namespace: string;
    filter: Filter;
    ticked: ReadonlySet<string>;
    onTick: (ids: readonly string[], on: boolean) => void;
};

function Rows({ calls, namespace, filter, ticked, onTick }: RowsProps) {
    if (calls.error) return <ErrorState error={calls.error} onRetry={calls.refetch} />;
    if (calls.loading) return <Loading label="Loading calls" rows={10} />;
    if (calls.rows.length === 0) return <Empty namespace={namespace} filter={filter} />;
    const showNamespace = namespace === ALL_NAMESPACES;
    return <CallsTable rows={calls.rows} {...{ showNamespace, ticked, onTick }} />;
}

function Empty({ namespace, filter }: { namespace: string; filter: Filter }) {
    if (!isEmpty(filter)) {
        return (
            <EmptyState title="No call fits this filter">
                <p>New ones appear here by themselves as soon as they fit.</p>
                <LinkButton to={paths.invocations(namespace)}>Show all calls</LinkButton>
            </EmptyState>
        );
    }
    return (
        <EmptyState title="Nothing was called yet">
            <p>
                Every call of a function is kept here: whether it ran, on which version, what it returned and
                printed.
            </p>
            <CodeView text={"eventflow invoke hello --data Ada"} label="a first call" />
        </EmptyState>
    );
}

type PagesProps = { calls: Calls; place: PagePlace; namespace: string; filter: Filter };

function Pages({ calls, place, namespace, filter }: PagesProps) {
    const { next, newer } = calls;
    const first = place.token === "";
    return (
        <nav aria-label="Pages" className="flex flex-wrap items-center gap-2">
            {!first && (
                <LinkButton to={paths.invocations(namespace, filterToQuery(filter))}>
                    <ArrowUpToLine /> Newest{newer > 0 && ` (${plural(newer, "new one")})`}
                </LinkButton>
            )}
            {next ? (
                <LinkButton
                    to={paths.invocations(namespace, {
                        ...filterToQuery(filter),
                        after: next.token,
                        asOf: next.asOf === undefined ? "" : String(next.asOf),
                    })}
                >
                    <ArrowDown /> Older
                </LinkButton>
            ) : (
                !first && <Button disabledWhy="These are the oldest">Older</Button>
            )}
            {first && !next && calls.rows.length > PAGE_SIZE / 2 && (
                <span className="text-[0.85rem] text-ink-faint">{plural(calls.rows.length, "call")}</span>
            )}
        </nav>
    );
}
