import { clientOf } from "@/api/client";
import { WatchEventType } from "@/api/generated/eventflow/v1/function_service_pb";
import { InvocationService } from "@/api/generated/eventflow/v1/invocation_service_pb";

/** Calls whose version is remembered. */
const MOST = 5_000;
/** What the server takes in one question. */
const MOST_ASKED = 1_000;
/** Lines come in bursts: so long is collected before the server is asked. */
const COLLECT_MS = 20;

const client = clientOf(InvocationService);
const known = new Map<string, Promise<number>>();

type Question = { namespace: string; ids: string[]; answer: Promise<ReadonlyMap<string, number>> };
let open: Question | undefined;

/** The version that a call runs; 0 where it is not known any more. It never changes, so it is asked once. */
export function versionOfCall(namespace: string, id: string): Promise<number> {
    const before = known.get(id);
    if (before) return before;
    const asked = question(namespace, id).answer.then(
        (versions) => versions.get(id) ?? 0,
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

/** The question that this call goes along with: one for all calls of a moment. */
function question(namespace: string, id: string): Question {
    if (open?.namespace !== namespace || open.ids.length >= MOST_ASKED) {
        const ids: string[] = [];
        const next: Question = { namespace, ids, answer: collected().then(() => close(next)) };
        open = next;
    }
    open.ids.push(id);
    return open;
}

const collected = () => new Promise((passed) => setTimeout(passed, COLLECT_MS));

async function close(asked: Question): Promise<ReadonlyMap<string, number>> {
    if (open === asked) open = undefined;
    const { namespace, ids } = asked;
    const versions = new Map<string, number>();
    const enough = new AbortController();
    const told = client.watchInvocations(
        { namespace, snapshot: ids.length, filter: { ids } },
        { signal: enough.signal },
    );
    try {
        for await (const { type, invocation } of told) {
            if (invocation) versions.set(invocation.id, invocation.version);
            if (type === WatchEventType.SYNCED) break;
        }
    } finally {
        enough.abort();
    }
    return versions;
}
