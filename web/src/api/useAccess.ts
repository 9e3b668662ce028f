import { useQuery } from "@connectrpc/connect-query";

import { whyNot } from "@/api/query";
import { useFunctions } from "@/api/useFunctions";
import { ALL_NAMESPACES } from "@/paths";

import { AuthService } from "./generated/eventflow/v1/auth_service_pb";
import { SystemService } from "./generated/eventflow/v1/system_service_pb";

const ROLES = ["viewer", "invoker", "developer", "admin"] as const;
export type Role = (typeof ROLES)[number];

/** What the caller may do. The server decides; this is for buttons that say beforehand why they would not work. */
export function useAccess() {
    const query = useQuery(AuthService.method.getCaller, {}, { staleTime: 60_000 });
    const { data } = query;
    const grants = data?.grants ?? [];
    return {
        known: data !== undefined,
        /** Why it is not known. */
        error: whyNot(query),
        subject: data?.subject ?? "",
        everywhere: grants.some((grant) => grant.namespace === ""),
        /** Why the caller may not do in this namespace what needs the role; undefined where it is allowed or not known. */
        missing: (role: Role, namespace: string): string | undefined => {
            if (!data) return undefined;
            const enough = grants.some(
                (grant) =>
                    (grant.namespace === "" || grant.namespace === namespace) &&
                    ROLES.indexOf(grant.role as Role) >= ROLES.indexOf(role),
            );
            return enough
                ? undefined
                : `This needs the role ${role} in ${namespace === ALL_NAMESPACES ? "all namespaces" : namespace}`;
        },
    };
}

/** Namespaces that the caller may look into: those with functions, also ones that came since, those granted, `default`. */
export function useNamespaces(): string[] {
    const { data } = useQuery(SystemService.method.listNamespaces, {}, { staleTime: 60_000 });
    const { functions } = useFunctions(ALL_NAMESPACES);
    return [
        ...new Set([...(data?.namespaces ?? ["default"]), ...functions.map((each) => each.namespace)]),
    ].sort();
}
