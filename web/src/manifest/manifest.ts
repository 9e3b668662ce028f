import type { MessageInitShape } from "@bufbuild/protobuf";
import { fromJson, toJson, type JsonObject, type JsonValue } from "@bufbuild/protobuf";

import { FunctionSchema, type Function as EventFlowFunction } from "@/api/generated/eventflow/v1/function_pb";

/** A function as people write it: the same fields and words as in YAML files for the CLI and for kubectl. */
export type Manifest = { name: string; namespace: string; spec: JsonObject };

/** The fields of a spec in the order in which they are written. */
export const SPEC_FIELDS = [
    "image",
    "runtime",
    "mode",
    "command",
    "args",
    "env",
    "envFrom",
    "port",
    "replicas",
    "scaling",
    "resources",
    "timeout",
    "startDeadline",
    "retry",
    "concurrency",
    "queue",
    "egress",
    "url",
    "record",
    "result",
    "podSecurity",
    "probe",
    "imagePullSecrets",
    "imagePullPolicy",
    "nodeSelector",
    "tolerations",
    "labels",
    "annotations",
] as const;

/** Fields whose wire form is an enum: `wasm` in a manifest is `RUNTIME_WASM` on the wire. */
const ENUMS: Record<string, string> = {
    runtime: "RUNTIME_",
    mode: "MODE_",
    url: "URL_ACCESS_",
    record: "RECORD_POLICY_",
    result: "RESULT_CHANNEL_",
    podSecurity: "POD_SECURITY_",
};

/** What a function declares; nothing that the server found out itself. */
export function manifestOf(value: EventFlowFunction): Manifest {
    const json = toJson(FunctionSchema, value) as JsonObject;
    const spec: JsonObject = {};
    for (const field of SPEC_FIELDS) {
        const found = json[field];
        if (found === undefined || isEmpty(found)) continue;
        const prefix = ENUMS[field];
        spec[field] =
            prefix && typeof found === "string"
                ? found.replace(prefix, "").toLowerCase()
                : plainNumbers(field, found);
    }
    return { name: value.name, namespace: value.namespace, spec };
}

/** `tolerationSeconds` is an int64, which proto3 JSON writes as text. */
function plainNumbers(field: string, value: JsonValue): JsonValue {
    if (field !== "tolerations" || !Array.isArray(value)) return value;
    return value.map((each) => {
        if (!isObject(each) || typeof each["tolerationSeconds"] !== "string") return each;
        return { ...each, tolerationSeconds: Number(each["tolerationSeconds"]) };
    });
}

function isEmpty(value: JsonValue): boolean {
    if (Array.isArray(value)) return value.length === 0;
    return isObject(value) && Object.keys(value).length === 0;
}

export function isObject(value: unknown): value is JsonObject {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A part of a manifest that cannot be sent at all, such as a word where a number has to be. */
export class ManifestError extends Error {
    constructor(
        readonly field: string,
        readonly description: string,
    ) {
        super(field ? `${field}: ${description}` : description);
    }
}

/** The manifest in the API's form. Throws a ManifestError where a value has the wrong kind. */
export function functionOf({ name, namespace, spec }: Manifest): MessageInitShape<typeof FunctionSchema> {
    const json: JsonObject = { ...spec, name, namespace };
    for (const [field, prefix] of Object.entries(ENUMS)) {
        const word = json[field];
        if (typeof word === "string") json[field] = prefix + word.toUpperCase();
    }
    try {
        return fromJson(FunctionSchema, json);
    } catch (error) {
        throw manifestError(error, spec);
    }
}

/** protobuf-es names its own types and the wire's enums; people wrote neither. */
function manifestError(error: unknown, spec: JsonObject): ManifestError {
    const text = error instanceof Error ? error.message : String(error);
    const [, type = "", leaf = ""] = /field eventflow\.v1\.(\w+)\.(\w+)/.exec(text) ?? [];
    if (!leaf) return new ManifestError("", text.replace(/^cannot decode message \S+ from JSON:\s*/, ""));
    const field = leaf.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    const parent = PARENTS[type] ?? "";
    const value = parent ? undefined : spec[field];
    const is = value === undefined ? "" : `, is ${JSON.stringify(value)}`;
    return new ManifestError(parent + field, `has a value of the wrong kind${is}`);
}

/** Where messages inside a function stand in a manifest. */
const PARENTS: Record<string, string> = {
    Scaling: "scaling.",
    Resources: "resources.",
    RetryPolicy: "retry.",
    Backoff: "retry.backoff.",
    QueuePolicy: "queue.",
    Probe: "probe.",
};
