import { useQuery } from "@connectrpc/connect-query";
import { ScrollText } from "lucide-react";

import { FunctionService } from "@/api/generated/eventflow/v1/function_service_pb";
import { LinkButton } from "@/components/Button";
import { EmptyState } from "@/components/states";
import { ALL_NAMESPACES, paths } from "@/paths";

/** Logs are those of one namespace. */
export function Namespaces() {
    const { data } = useQuery(FunctionService.method.listFunctions, {
        namespace: ALL_NAMESPACES,
        pageSize: 1000,
    });
    const namespaces = new Set(["default", ...(data?.functions ?? []).map((one) => one.namespace)]);
    return (
        <EmptyState title="Of which namespace?" icon={<ScrollText />}>
            <p>Logs are followed for one namespace at a time.</p>
            <ul className="flex flex-wrap justify-center gap-2">
                {[...namespaces].sort().map((namespace) => (
                    <li key={namespace}>
                        <LinkButton to={paths.logs(namespace)}>{namespace}</LinkButton>
                    </li>
                ))}
            </ul>
        </EmptyState>
    );
}
