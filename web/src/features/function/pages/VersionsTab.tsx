import { useQuery } from "@connectrpc/connect-query";
import { useEffect } from "react";

import { FunctionService } from "@/api/generated/eventflow/v1/function_service_pb";
import { whyNot } from "@/api/query";
import { Panel } from "@/components/Page";
import { ErrorState, Loading } from "@/components/states";

import { useFunctionContext } from "../api/context";
import { VersionList } from "../components/VersionList";

export default function VersionsTab() {
    const { value } = useFunctionContext();
    const { namespace, name, version } = value;
    const list = useQuery(FunctionService.method.listVersions, { namespace, name, pageSize: 200 });
    const { refetch } = list;
    const error = whyNot(list);
    useEffect(() => {
        void refetch();
    }, [version, refetch]);
    return (
        <Panel title="Versions" flush>
            {list.data ? (
                <VersionList value={value} versions={list.data.versions} />
            ) : error ? (
                <ErrorState error={error} onRetry={() => void refetch()} />
            ) : (
                <Loading label="Loading versions" />
            )}
            {list.data?.nextPageToken && (
                <p className="border-t border-line px-4 py-2 text-ink-faint">
                    The newest 200 are shown; <code>eventflow versions {name}</code> lists all.
                </p>
            )}
        </Panel>
    );
}
