import { useParams } from "react-router";

const KEY = "eventflow.namespace";

/** The namespace of the address; `-` means all. */
export function useNamespace(): string {
    return useParams()["namespace"] ?? lastNamespace();
}

export function lastNamespace(): string {
    try {
        return localStorage.getItem(KEY) ?? "default";
    } catch {
        return "default";
    }
}

export function rememberNamespace(namespace: string) {
    try {
        localStorage.setItem(KEY, namespace);
    } catch {
        // Storage is switched off: the address still says it.
    }
}
