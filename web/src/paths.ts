/** Every address of the UI: no other module builds one. The namespace `-` means all namespaces. */
export const ALL_NAMESPACES = "-";

export type FunctionTab =
    "overview" | "invoke" | "logs" | "invocations" | "metrics" | "versions" | "yaml" | "edit";

/** Filters that a list keeps in its address, so that it can be shared. Empty values are left out. */
export type Query = Record<string, string | readonly string[] | undefined>;

function query(values: Query = {}): string {
    const search = new URLSearchParams();
    for (const [key, value] of Object.entries(values)) {
        const list = typeof value === "string" ? [value] : (value ?? []);
        list.filter((one) => one !== "").forEach((one) => search.append(key, one));
    }
    const text = search.toString();
    return text && `?${text}`;
}

const namespaced = (namespace: string, rest: string) => `/n/${encodeURIComponent(namespace)}/${rest}`;

export const paths = {
    home: () => "/",
    login: (next?: string) => `/login${query({ next })}`,
    functions: (namespace: string, filters?: Query) => namespaced(namespace, `functions${query(filters)}`),
    functionNew: (namespace: string) => namespaced(namespace, "new-function"),
    function: (namespace: string, name: string, tab: FunctionTab = "overview", filters?: Query) =>
        namespaced(
            namespace,
            `functions/${encodeURIComponent(name)}${tab === "overview" ? "" : `/${tab}`}${query(filters)}`,
        ),
    invocations: (namespace: string, filters?: Query) =>
        namespaced(namespace, `invocations${query(filters)}`),
    invocation: (namespace: string, id: string) =>
        namespaced(namespace, `invocations/${encodeURIComponent(id)}`),
    deadLetters: (namespace: string, filters?: Query) =>
        namespaced(namespace, `dead-letters${query(filters)}`),
    logs: (namespace: string, filters?: Query) => namespaced(namespace, `logs${query(filters)}`),
};

/** The patterns of the same addresses, for the router. */
export const patterns = {
    home: "/",
    login: "/login",
    namespace: "/n/:namespace",
    functions: "functions",
    functionNew: "new-function",
    function: "functions/:name",
    invocations: "invocations",
    invocation: "invocations/:id",
    deadLetters: "dead-letters",
    logs: "logs",
} as const;

/** An address of this UI that a login may go on to: never one of another site. */
export function safeNext(next: string | null): string {
    return next?.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : paths.home();
}
