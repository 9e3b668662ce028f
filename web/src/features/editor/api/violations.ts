import type { FieldPath } from "react-hook-form";

import type { Values } from "./values";

export type Placed = { at: FieldPath<Values>; message: string };

const KEYED = ["env", "nodeSelector", "labels", "annotations"] as const;
const LISTED = ["command", "args", "egress", "imagePullSecrets"] as const;
const ROWS = ["envFrom", "tolerations"] as const;
const LEAVES: readonly string[] = [
    ...["name", "namespace", "runtime", "mode", "image", "port", "replicas", "timeout", "startDeadline"],
    ...["concurrency", "url", "record", "result", "podSecurity", "imagePullPolicy"],
    ...[
        "scaling.min",
        "scaling.max",
        "scaling.concurrency",
        "scaling.cpu",
        "resources.cpu",
        "resources.memory",
    ],
    ...["retry.maxAttempts", "retry.backoff.initial", "retry.backoff.max", "retry.backoff.factor"],
    ...["retry.backoff.jitter", "queue.max", "queue.maxAge", "probe.path"],
];

/**
 * The form's field that a violation of the server belongs to: `env.PORT` is the row of that name, `egress[0]` the first
 * row. Undefined where the form has no such field; such a violation is shown above the form.
 */
export function placeOf(field: string, values: Values): FieldPath<Values> | undefined {
    const path = field.replace(/^(function|spec|metadata)\./, "");
    if (LEAVES.includes(path)) return path as FieldPath<Values>;
    for (const name of KEYED) {
        if (!path.startsWith(`${name}.`)) continue;
        const at = values[name].findIndex((row) => row.key === path.slice(name.length + 1));
        if (at >= 0) return `${name}.${at}.key`;
    }
    const row = /^(\w+)\[(\d+)\](?:\.(\w+))?/.exec(path);
    if (!row) return undefined;
    const [, name, at, leaf] = row;
    const index = Number(at);
    const listed = LISTED.find((each) => each === name);
    if (listed && index < values[listed].length) return `${listed}.${index}.value`;
    const rows = ROWS.find((each) => each === name);
    if (!rows || index >= values[rows].length) return undefined;
    if (rows === "envFrom") return `envFrom.${index}.name`;
    const known = (["key", "operator", "value", "effect", "tolerationSeconds"] as const).find(
        (each) => each === leaf,
    );
    return `tolerations.${index}.${known ?? "key"}`;
}

/** Violations at their fields, and those that have none. */
export function place(violations: readonly { field: string; description: string }[], values: Values) {
    const placed: Placed[] = [];
    const others: string[] = [];
    for (const { field, description } of violations) {
        const at = placeOf(field, values);
        if (at) placed.push({ at, message: sentence(description) });
        else others.push(field ? `${field}: ${description}` : sentence(description));
    }
    return { placed, others };
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
