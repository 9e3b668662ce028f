import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { isMap, isScalar, LineCounter, parseDocument, stringify } from "yaml";

import { isObject, SPEC_FIELDS, type Manifest } from "./manifest";

/** Imported on demand: the YAML library is a fifth of all script. */

const API_VERSION = "eventflow.io/v1alpha1";
const KIND = "Function";
const STYLE = { lineWidth: 110, flowCollectionPadding: false } as const;

export type YamlProblem = { message: string; line?: number };
export type Parsed = { manifest: Manifest } | { problems: YamlProblem[] };

/** The manifest as a file that `eventflow apply -f` and `kubectl apply -f` take. */
export function toYaml({ name, namespace, spec }: Manifest): string {
    return stringify(
        { apiVersion: API_VERSION, kind: KIND, metadata: { name, namespace }, spec: ordered(spec) },
        STYLE,
    );
}

function ordered(spec: JsonObject): JsonObject {
    const known = SPEC_FIELDS.filter((field) => spec[field] !== undefined);
    const rest = Object.keys(spec).filter((field) => !known.some((each) => each === field));
    return Object.fromEntries([...known, ...rest].map((field) => [field, spec[field] ?? null]));
}

/** Changes what differs only, so that comments and the order of what somebody wrote stay. */
export function editYaml(text: string, next: Manifest): string {
    const before = parseYaml(text);
    if ("problems" in before) return toYaml(next);
    const document = parseDocument(text);
    const { name, namespace, spec } = before.manifest;
    /** A new node, since an old one would keep the quotes of its old value; what stood beside it stays. */
    const set = (path: string[], value: JsonValue) => {
        const before = document.getIn(path, true);
        const node = document.createNode(value);
        if (isScalar(before) && isScalar(node) && before.comment) node.comment = before.comment;
        document.setIn(path, node);
    };
    if (name !== next.name) set(["metadata", "name"], next.name);
    if (namespace !== next.namespace) set(["metadata", "namespace"], next.namespace);
    if (!isMap(document.get("spec"))) document.set("spec", document.createNode({}));
    for (const field of new Set([...Object.keys(spec), ...SPEC_FIELDS])) {
        const value: JsonValue | undefined = next.spec[field];
        if (JSON.stringify(value) === JSON.stringify(spec[field])) continue;
        if (value === undefined) document.deleteIn(["spec", field]);
        else set(["spec", field], value);
    }
    return document.toString(STYLE);
}

/** Reads one manifest. Problems say the line where it is known. */
export function parseYaml(text: string): Parsed {
    const lines = new LineCounter();
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
    if (document.errors.length > 0) {
        return {
            problems: document.errors.map((error) => ({
                message: error.message,
                line: lines.linePos(error.pos[0]).line,
            })),
        };
    }
    const whole: unknown = document.toJS({ maxAliasCount: 100 });
    if (!isObject(whole))
        return { problems: [{ message: "must be a mapping with apiVersion, kind, metadata and spec" }] };
    const problems: YamlProblem[] = [];
    const lineOf = (path: string[]): { line?: number } => {
        const parent = path.length > 1 ? document.getIn(path.slice(0, -1)) : document.contents;
        const pair = isMap(parent)
            ? parent.items.find((item) => String(item.key) === path.at(-1))
            : undefined;
        const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range;
        return range ? { line: lines.linePos(range[0]).line } : {};
    };
    const unknown = (object: JsonObject, path: string[], known: readonly string[]) => {
        for (const key of Object.keys(object).filter((each) => !known.includes(each))) {
            const near = nearest(key, known);
            const message = `unknown field ${[...path, key].join(".")}${near ? `: did you mean ${near}?` : ""}`;
            problems.push({ message, ...lineOf([...path, key]) });
        }
    };
    unknown(whole, [], ["apiVersion", "kind", "metadata", "spec", "status"]);
    if (whole["apiVersion"] !== API_VERSION) {
        problems.push({ message: `apiVersion must be ${API_VERSION}`, ...lineOf(["apiVersion"]) });
    }
    if (whole["kind"] !== KIND) problems.push({ message: `kind must be ${KIND}`, ...lineOf(["kind"]) });
    const metadata = isObject(whole["metadata"]) ? whole["metadata"] : {};
    const spec = isObject(whole["spec"]) ? whole["spec"] : {};
    if (whole["spec"] !== undefined && whole["spec"] !== null && !isObject(whole["spec"])) {
        problems.push({ message: "spec must be a mapping", ...lineOf(["spec"]) });
    }
    unknown(spec, ["spec"], SPEC_FIELDS);
    if (problems.length > 0) return { problems };
    const word = (value: JsonValue | undefined) =>
        typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);
    return {
        manifest: {
            name: word(metadata["name"]),
            namespace: word(metadata["namespace"]) || "default",
            spec: dropNulls(spec),
        },
    };
}

function dropNulls(spec: JsonObject): JsonObject {
    return Object.fromEntries(Object.entries(spec).filter(([, value]) => value !== null));
}

/** The known word that the fewest edits lead to, if they are few. */
export function nearest(word: string, known: readonly string[]): string | undefined {
    const [best] = known
        .map((each) => ({ each, edits: distance(word.toLowerCase(), each.toLowerCase()) }))
        .sort((one, other) => one.edits - other.edits);
    return best && best.edits <= Math.max(1, word.length / 3) ? best.each : undefined;
}

function distance(one: string, other: string): number {
    let row = Array.from({ length: other.length + 1 }, (_, at) => at);
    for (let at = 1; at <= one.length; at++) {
        const next = [at];
        for (let to = 1; to <= other.length; to++) {
            const same = one[at - 1] === other[to - 1] ? 0 : 1;
            next.push(Math.min((next[to - 1] ?? 0) + 1, (row[to] ?? 0) + 1, (row[to - 1] ?? 0) + same));
        }
        row = next;
    }
    return row.at(-1) ?? 0;
}
