import { rest } from "@/api/client";
import { restError } from "@/api/errors";

/** A call as the panel holds it. */
export type Call = {
    body: Blob;
    contentType: string;
    headers: readonly { name: string; value: string }[];
    /** Seconds to wait for the result; undefined: do not wait. */
    waitSeconds: number | undefined;
    /** A duration such as `5m`; empty: at once. */
    delay: string;
    /** Empty: the current one. */
    version: string;
};

export type Outcome =
    /** The function's own answer. */
    | {
          kind: "answer";
          id: string;
          status: number;
          contentType: string;
          bytes: Uint8Array<ArrayBuffer>;
          ms: number;
      }
    /** Accepted: it waits or runs. */
    | { kind: "accepted"; id: string; ms: number }
    /** Refused, or failed without an answer; the id is there where there is a record. */
    | { kind: "failed"; id: string; error: unknown; ms: number };

export function invokePath(
    namespace: string,
    name: string,
    call: Pick<Call, "waitSeconds" | "delay" | "version">,
) {
    const query = new URLSearchParams();
    if (call.waitSeconds !== undefined) query.set("wait", `${call.waitSeconds}s`);
    else if (call.delay) query.set("delay", call.delay);
    if (call.version) query.set("version", call.version);
    const text = query.toString();
    return `/v1/namespaces/${encodeURIComponent(namespace)}/functions/${encodeURIComponent(name)}:invoke${text && `?${text}`}`;
}

/** Calls over REST: so the payload goes as it is, and headers reach a function in http mode. */
export async function invoke(
    namespace: string,
    name: string,
    call: Call,
    signal: AbortSignal,
): Promise<Outcome> {
    const begun = performance.now();
    const elapsed = () => performance.now() - begun;
    const headers = new Headers();
    call.headers
        .filter((each) => each.name.trim())
        .forEach((each) => headers.append(each.name.trim(), each.value));
    if (call.contentType) headers.set("Content-Type", call.contentType);
    let response: Response;
    try {
        response = await rest(invokePath(namespace, name, call), {
            method: "POST",
            body: call.body,
            headers,
            signal,
        });
    } catch (error) {
        return { kind: "failed", id: "", error, ms: elapsed() };
    }
    const id = response.headers.get("eventflow-invocation-id") ?? "";
    const contentType = response.headers.get("content-type") ?? "";
    // A function in http mode answers with any status; its own problem+json has no reason of ours.
    if (contentType.startsWith("application/problem+json") && (await hasReason(response.clone()))) {
        return { kind: "failed", id, error: await restError(response), ms: elapsed() };
    }
    if (
        response.status === 202 &&
        contentType.startsWith("application/json") &&
        call.waitSeconds === undefined
    ) {
        return { kind: "accepted", id, ms: elapsed() };
    }
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.status === 202 && isAccepted(bytes, id)) return { kind: "accepted", id, ms: elapsed() };
    return { kind: "answer", id, status: response.status, contentType, bytes, ms: elapsed() };
}

async function hasReason(response: Response): Promise<boolean> {
    const body: unknown = await response.json().catch(() => null);
    return typeof body === "object" && body !== null && "reason" in body && "type" in body;
}

/** The wait ran out: the answer is the accepted call itself. */
function isAccepted(bytes: Uint8Array, id: string): boolean {
    try {
        const body: unknown = JSON.parse(new TextDecoder().decode(bytes));
        return typeof body === "object" && body !== null && "id" in body && body.id === id;
    } catch {
        return false;
    }
}
