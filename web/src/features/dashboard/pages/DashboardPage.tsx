import { Plus } from "lucide-react";
import { useMemo } from "react";
import { useSearchParams } from "react-router";

import { useAccess } from "@/api/useAccess";
import { useActivity } from "@/api/useActivity";
import { useFunctions } from "@/api/useFunctions";
import { Button, LinkButton } from "@/components/Button";
import { Page } from "@/components/Page";
import { DisconnectedNote, EmptyState, ErrorState, LiveMark, Loading } from "@/components/states";
import type { Sort } from "@/components/Table";
import { useNamespace } from "@/lib/useNamespace";
import { ALL_NAMESPACES, paths } from "@/paths";

import { COLUMNS, filtered, rowsOf, sorted, type Column, type Filters as FilterValues } from "../api/rows";
import { Filters } from "../components/Filters";
import { FirstSteps } from "../components/FirstSteps";
import { FunctionTable } from "../components/FunctionTable";
import { Summary } from "../components/Summary";

/** Filters and order live in the address, so that a view can be shared. */
function useView() {
    const [search, setSearch] = useSearchParams();
    const filters: FilterValues = {
        text: search.get("q") ?? "",
        states: search.getAll("state"),
        runtimes: search.getAll("runtime"),
    };
    const by = COLUMNS.find((column) => column === search.get("sort")) ?? "name";
    const sort: Sort<Column> = { by, down: search.get("down") === "1" };
    const set = (values: Record<string, string>) =>
        setSearch(
            (before) => {
                Object.entries(values).forEach(([key, value]) =>
                    value ? before.set(key, value) : before.delete(key),
                );
                return before;
            },
            { replace: true },
        );
    return {
        filters,
        sort,
        filter: ({ text, states, runtimes }: Partial<FilterValues>) =>
            set({
                ...(text !== undefined && { q: text }),
                ...(states && { state: states[0] ?? "" }),
                ...(runtimes && { runtime: runtimes[0] ?? "" }),
            }),
        order: ({ by, down }: Sort<Column>) => set({ sort: by === "name" ? "" : by, down: down ? "1" : "" }),
        clear: () => set({ q: "", state: "", runtime: "" }),
    };
}

export default function DashboardPage() {
    const namespace = useNamespace();
    const { functions, synced, stream } = useFunctions(namespace);
    const { activity } = useActivity(namespace);
    const { missing } = useAccess();
    const view = useView();
    const rows = useMemo(() => rowsOf(functions, activity), [functions, activity]);
    const shown = sorted(filtered(rows, view.filters), view.sort);
    const target = namespace === ALL_NAMESPACES ? "default" : namespace;
    const notAllowed = missing("developer", target);

    return (
        <Page
            title="Functions"
            actions={
                <>
                    <LiveMark state={stream} />
                    {notAllowed ? (
                        <Button kind="primary" disabledWhy={notAllowed}>
                            <Plus aria-hidden />
                            Create Function
                        </Button>
                    ) : (
                        <LinkButton to={paths.functionNew(target)} kind="primary">
                            <Plus aria-hidden />
                            Create Function
                        </LinkButton>
                    )}
                </>
            }
        >
            <DisconnectedNote state={stream} />
            {stream.phase === "failed" && !synced ? (
                <ErrorState error={stream.error} />
            ) : !synced ? (
                <Loading label="Loading functions" rows={6} />
            ) : rows.length === 0 ? (
                <FirstSteps namespace={namespace} />
            ) : (
                <>
                    <Summary rows={rows} />
                    <Filters filters={view.filters} onChange={view.filter} onClear={view.clear} />
                    <div className="panel overflow-hidden">
                        {shown.length === 0 ? (
                            <EmptyState title="No function matches">
                                <Button onClick={view.clear}>Clear the filters</Button>
                            </EmptyState>
                        ) : (
                            <FunctionTable
                                rows={shown}
                                sort={view.sort}
                                onSort={view.order}
                                showNamespace={namespace === ALL_NAMESPACES}
                            />
                        )}
                    </div>
                </>
            )}
        </Page>
    );
}
