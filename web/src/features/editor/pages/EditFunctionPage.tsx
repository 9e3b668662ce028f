import { useQuery } from "@connectrpc/connect-query";
import { useParams } from "react-router";

import { FunctionService } from "@/api/generated/eventflow/v1/function_service_pb";
import { whyNot } from "@/api/query";
import { Page } from "@/components/Page";
import { ErrorState, Loading } from "@/components/states";
import { useNamespace } from "@/lib/useNamespace";

import { EditFunction } from "../components/EditFunction";

export default function EditFunctionPage() {
    const namespace = useNamespace();
    const { name = "" } = useParams();
    // What the editor begins with: it must not change under the hands of whoever types.
    const loaded = useQuery(
        FunctionService.method.getFunction,
        { namespace, name },
        { staleTime: Infinity, gcTime: 0, refetchOnWindowFocus: false },
    );
    const error = whyNot(loaded);
    const value = loaded.data?.function;
    return (
        <Page title={`Edit ${name}`}>
            {value ? (
                <EditFunction key={value.uid} loaded={value} />
            ) : error ? (
                <ErrorState error={error} onRetry={() => void loaded.refetch()} />
            ) : (
                <Loading rows={8} />
            )}
        </Page>
    );
}
