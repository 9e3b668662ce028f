import { useQuery } from "@connectrpc/connect-query";

import { ConfigService } from "@/api/generated/eventflow/v1/config_service_pb";
import { SystemService } from "@/api/generated/eventflow/v1/system_service_pb";
import { RUNTIMES } from "@/lib/words";

export type ServerKnown = {
    /** Where functions can run here; empty where the server does not say. */
    runtimes: readonly string[];
    secrets: readonly string[];
    configs: readonly string[];
};

/** What the form can offer. A server that keeps no secrets (in a cluster Kubernetes does) offers no names. */
export function useServerKnown(namespace: string): ServerKnown {
    const info = useQuery(SystemService.method.getServerInfo, {}, { staleTime: Infinity });
    const secrets = useQuery(ConfigService.method.listSecrets, { namespace });
    const configs = useQuery(ConfigService.method.listConfigs, { namespace });
    return {
        runtimes: info.data?.runtimes.map((runtime) => RUNTIMES[runtime]) ?? [],
        secrets: secrets.data?.entries.map((entry) => entry.name) ?? [],
        configs: configs.data?.entries.map((entry) => entry.name) ?? [],
    };
}
