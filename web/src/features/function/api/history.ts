/** Payloads that were sent from this tab, per function: they go with the tab, as the token does. */
export type Sent = { at: number; kind: "json" | "text"; text: string; contentType: string; id: string };

const MOST = 20;
/** Characters; longer payloads are not kept. */
const LONGEST = 32_768;

const keyOf = (namespace: string, name: string) => `eventflow.payloads ${namespace}/${name}`;

export function readHistory(namespace: string, name: string): Sent[] {
    try {
        const stored: unknown = JSON.parse(sessionStorage.getItem(keyOf(namespace, name)) ?? "[]");
        return Array.isArray(stored) ? stored.filter(isSent) : [];
    } catch {
        return [];
    }
}

function isSent(value: unknown): value is Sent {
    return (
        typeof value === "object" &&
        value !== null &&
        "text" in value &&
        typeof value.text === "string" &&
        "at" in value &&
        typeof value.at === "number" &&
        "contentType" in value &&
        typeof value.contentType === "string" &&
        "kind" in value &&
        (value.kind === "json" || value.kind === "text") &&
        "id" in value &&
        typeof value.id === "string"
    );
}

/** Adds a payload in front; the same one again moves there. */
export function remember(namespace: string, name: string, sent: Sent): Sent[] {
    const before = readHistory(namespace, name);
    if (sent.text.length > LONGEST) return before;
    const same = (other: Sent) => other.text === sent.text && other.contentType === sent.contentType;
    const next = [sent, ...before.filter((other) => !same(other))].slice(0, MOST);
    try {
        sessionStorage.setItem(keyOf(namespace, name), JSON.stringify(next));
    } catch {
        // The tab's storage is full: the call itself went through.
    }
    return next;
}
