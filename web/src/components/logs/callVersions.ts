import { clientOf } from "@/api/client";
import { InvocationService } from "@/api/generated/eventflow/v1/invocation_service_pb";

/** Calls whose version is remembered. */
const MOST = 5_000;

const client = clientOf(InvocationService);
const known = new Map<string, Promise<number>>();

/** The version that a call runs; 0 where it is not known any more. It never changes, so it is asked once. */
export function versionOfCall(namespace: string, id: string): Promise<number> {
    const before = known.get(id);
    if (before) return before;
    const asked = client.getInvocation({ namespace, id }).then(
        ({ invocation }) => invocation?.version ?? 0,
        () => {
            known.delete(id);
            return 0;
        },
    );
    known.set(id, asked);
    for (const oldest of known.keys()) {
        if (known.size <= MOST) break;
        known.delete(oldest);
    }
    return asked;
}
