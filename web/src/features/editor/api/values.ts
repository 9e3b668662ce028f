import type { JsonObject, JsonValue } from "@bufbuild/protobuf";

import { isObject, type Manifest } from "@/manifest/manifest";

type Pair = { key: string; value: string };
type Item = { value: string };

/** The form's fields: texts as they are typed. Empty means: not declared, the default applies. */
export type Values = {
    name: string;
    namespace: string;
    runtime: string;
    mode: string;
    image: string;
    command: Item[];
    args: Item[];
    env: Pair[];
    envFrom: { kind: "secretRef" | "configMapRef"; name: string }[];
    port: string;
    copies: "default" | "fixed" | "scaled";
    replicas: string;
    scaling: { min: string; max: string; concurrency: string; cpu: string };
    resources: { cpu: string; memory: string };
    timeout: string;
    startDeadline: string;
    retry: { maxAttempts: string; backoff: { initial: string; max: string; factor: string; jitter: string } };
    concurrency: string;
    queue: { max: string; maxAge: string };
    egress: Item[];
    url: string;
    record: string;
    result: string;
    podSecurity: string;
    probe: { path: string };
    imagePullSecrets: Item[];
    imagePullPolicy: string;
    nodeSelector: Pair[];
    tolerations: {
        key: string;
        operator: string;
        value: string;
        effect: string;
        tolerationSeconds: string;
    }[];
    labels: Pair[];
    annotations: Pair[];
};

const text = (value: JsonValue | undefined): string =>
    value === undefined || value === null ? "" : typeof value === "string" ? value : JSON.stringify(value);
const object = (value: JsonValue | undefined): JsonObject => (isObject(value) ? value : {});
const list = (value: JsonValue | undefined): JsonValue[] => (Array.isArray(value) ? value : []);
const items = (value: JsonValue | undefined): Item[] => list(value).map((each) => ({ value: text(each) }));
const pairs = (value: JsonValue | undefined): Pair[] =>
    Object.entries(object(value)).map(([key, each]) => ({ key, value: text(each) }));

/** The form for a manifest. */
export function valuesOf({ name, namespace, spec }: Manifest): Values {
    const retry = object(spec["retry"]);
    const backoff = object(retry["backoff"]);
    const scaling = object(spec["scaling"]);
    const resources = object(spec["resources"]);
    const queue = object(spec["queue"]);
    return {
        name,
        namespace,
        runtime: text(spec["runtime"]),
        mode: text(spec["mode"]),
        image: text(spec["image"]),
        command: items(spec["command"]),
        args: items(spec["args"]),
        env: pairs(spec["env"]),
        envFrom: list(spec["envFrom"]).map((each) => {
            const kind = isObject(each) && each["configMapRef"] !== undefined ? "configMapRef" : "secretRef";
            return { kind, name: text(object(object(each)[kind])["name"]) };
        }),
        port: text(spec["port"]),
        copies:
            spec["scaling"] !== undefined ? "scaled" : spec["replicas"] !== undefined ? "fixed" : "default",
        replicas: text(spec["replicas"]),
        scaling: {
            min: text(scaling["min"]),
            max: text(scaling["max"]),
            concurrency: text(scaling["concurrency"]),
            cpu: text(scaling["cpu"]),
        },
        resources: { cpu: text(resources["cpu"]), memory: text(resources["memory"]) },
        timeout: text(spec["timeout"]),
        startDeadline: text(spec["startDeadline"]),
        retry: {
            maxAttempts: text(retry["maxAttempts"]),
            backoff: {
                initial: text(backoff["initial"]),
                max: text(backoff["max"]),
                factor: text(backoff["factor"]),
                jitter: text(backoff["jitter"]),
            },
        },
        concurrency: text(spec["concurrency"]),
        queue: { max: text(queue["max"]), maxAge: text(queue["maxAge"]) },
        egress: items(spec["egress"]),
        url: text(spec["url"]),
        record: text(spec["record"]),
        result: text(spec["result"]),
        podSecurity: text(spec["podSecurity"]),
        probe: { path: text(object(spec["probe"])["path"]) },
        imagePullSecrets: items(spec["imagePullSecrets"]),
        imagePullPolicy: text(spec["imagePullPolicy"]),
        nodeSelector: pairs(spec["nodeSelector"]),
        tolerations: list(spec["tolerations"]).map((each) => {
            const found = object(each);
            return {
                key: text(found["key"]),
                operator: text(found["operator"]),
                value: text(found["value"]),
                effect: text(found["effect"]),
                tolerationSeconds: text(found["tolerationSeconds"]),
            };
        }),
        labels: pairs(spec["labels"]),
        annotations: pairs(spec["annotations"]),
    };
}

/** A number where the text is one; else the text itself, which the server or the reader of manifests then refuses. */
const number = (typed: string): JsonValue | undefined => {
    const trimmed = typed.trim();
    if (trimmed === "") return undefined;
    return Number.isFinite(Number(trimmed)) ? Number(trimmed) : trimmed;
};
const word = (typed: string): JsonValue | undefined => typed.trim() || undefined;

/** The fields that are set; undefined where none is. */
function fields(values: Record<string, JsonValue | undefined>): JsonObject | undefined {
    const set = Object.entries(values).filter(
        (entry): entry is [string, JsonValue] => entry[1] !== undefined,
    );
    return set.length === 0 ? undefined : Object.fromEntries(set);
}

const texts = (rows: Item[]) => (rows.length === 0 ? undefined : rows.map((row) => row.value));
/** A row without a name is one that is just being typed. */
const named = (rows: Pair[]) =>
    fields(Object.fromEntries(rows.filter((row) => row.key).map((row) => [row.key, row.value])));

/** The manifest that the form declares. */
export function manifestFrom(values: Values): Manifest {
    const { copies, scaling, resources, retry, queue } = values;
    const { backoff } = retry;
    const spec = fields({
        image: word(values.image),
        runtime: word(values.runtime),
        mode: word(values.mode),
        command: texts(values.command),
        args: texts(values.args),
        env: named(values.env),
        envFrom:
            values.envFrom.length === 0
                ? undefined
                : values.envFrom.map(({ kind, name }) => ({ [kind]: { name: name.trim() } })),
        port: number(values.port),
        replicas: copies === "fixed" ? (number(values.replicas) ?? 1) : undefined,
        scaling:
            copies === "scaled"
                ? (fields({
                      min: number(scaling.min),
                      max: number(scaling.max),
                      concurrency: number(scaling.concurrency),
                      cpu: number(scaling.cpu),
                  }) ?? { min: 0 })
                : undefined,
        resources: fields({ cpu: word(resources.cpu), memory: word(resources.memory) }),
        timeout: word(values.timeout),
        startDeadline: word(values.startDeadline),
        retry: fields({
            maxAttempts: number(retry.maxAttempts),
            backoff: fields({
                initial: word(backoff.initial),
                max: word(backoff.max),
                factor: number(backoff.factor),
                jitter: number(backoff.jitter),
            }),
        }),
        concurrency: number(values.concurrency),
        queue: fields({ max: number(queue.max), maxAge: word(queue.maxAge) }),
        egress: texts(values.egress),
        url: word(values.url),
        record: word(values.record),
        result: word(values.result),
        podSecurity: word(values.podSecurity),
        probe: fields({ path: word(values.probe.path) }),
        imagePullSecrets: texts(values.imagePullSecrets),
        imagePullPolicy: word(values.imagePullPolicy),
        nodeSelector: named(values.nodeSelector),
        tolerations:
            values.tolerations.length === 0
                ? undefined
                : values.tolerations.map(
                      ({ key, operator, value, effect, tolerationSeconds }) =>
                          fields({
                              key: word(key),
                              operator: word(operator),
                              value: word(value),
                              effect: word(effect),
                              tolerationSeconds: number(tolerationSeconds),
                          }) ?? {},
                  ),
        labels: named(values.labels),
        annotations: named(values.annotations),
    });
    return { name: values.name.trim(), namespace: values.namespace.trim() || "default", spec: spec ?? {} };
}
