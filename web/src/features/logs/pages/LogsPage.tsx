import { useNavigate, useSearchParams } from "react-router";

import { LogViewer } from "@/components/logs/LogViewer";
import { useCallLog } from "@/components/logs/useCallLog";
import { useFunctionLog } from "@/components/logs/useFunctionLog";
import { Page } from "@/components/Page";
import { type LogQuery, logQueryFromParams, logQueryToQuery } from "@/lib/calls/logQuery";
import { useNamespace } from "@/lib/useNamespace";
import { ALL_NAMESPACES, paths } from "@/paths";
import { LogFilters } from "../components/LogFilters";
import { Namespaces } from "../components/Namespaces";

/** The rest of the screen. */
const HEIGHT = "h-[calc(100dvh-16rem)] min-h-96";

export default function LogsPage() {
    const namespace = useNamespace();
    const [params] = useSearchParams();
    const navigate = useNavigate();
    const query = logQueryFromParams(params);
    if (namespace === ALL_NAMESPACES) {
        return (
            <Page title="Logs">
                <Namespaces />
            </Page>
        );
    }
    return (
        <Page title="Logs">
            <LogFilters
                namespace={namespace}
                query={query}
                onChange={(next) => void navigate(paths.logs(namespace, logQueryToQuery(next)))}
            />
            {query.invocation ? (
                <CallLog key={query.invocation} namespace={namespace} id={query.invocation} />
            ) : (
                <FunctionLog key={`${namespace} ${params.toString()}`} namespace={namespace} query={query} />
            )}
        </Page>
    );
}

function CallLog({ namespace, id }: { namespace: string; id: string }) {
    const { store, state } = useCallLog(namespace, id);
    return (
        <LogViewer
            store={store}
            state={state}
            label={`Lines that the call ${id} printed`}
            file={[id]}
            empty={state.phase === "ended" ? "It printed nothing." : "No lines so far."}
            className={HEIGHT}
        />
    );
}

function FunctionLog({ namespace, query }: { namespace: string; query: LogQuery }) {
    const { store, state } = useFunctionLog({
        namespace,
        name: query.function || "-",
        version: query.version,
        contains: query.contains,
        ...(query.stream && { stream: query.stream }),
    });
    const filtered = query.function || query.version || query.contains || query.stream;
    return (
        <LogViewer
            store={store}
            state={state}
            label={
                query.function
                    ? `Lines that ${query.function} prints`
                    : `Lines that functions of ${namespace} print`
            }
            file={[namespace, query.function]}
            empty={
                filtered
                    ? "No line fits so far: they appear here as they come."
                    : "Nothing was printed lately: lines appear here as they come."
            }
            callPath={(line) => paths.invocation(namespace, line.invocation)}
            showSource={query.function === ""}
            className={HEIGHT}
        />
    );
}
