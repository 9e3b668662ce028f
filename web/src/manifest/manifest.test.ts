import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";

import { FunctionSchema, Mode, RecordPolicy, Runtime } from "@/api/generated/eventflow/v1/function_pb";

import { functionOf, manifestOf, ManifestError, type Manifest } from "./manifest";
import { editYaml, nearest, parseYaml, toYaml } from "./yaml";

const WHOLE: Manifest = {
    name: "resize",
    namespace: "media",
    spec: {
        image: "registry.example/resize:1.4",
        runtime: "container",
        mode: "http",
        command: ["/bin/resize"],
        args: ["--fast"],
        env: { ENV: "production" },
        envFrom: [{ secretRef: { name: "resize-keys" } }, { configMapRef: { name: "resize" } }],
        port: 8080,
        scaling: { min: 0, max: 20, concurrency: 10, cpu: 80 },
        resources: { cpu: "250m", memory: "128Mi" },
        timeout: "30s",
        startDeadline: "2m",
        retry: { maxAttempts: 4, backoff: { initial: "1s", max: "5m", factor: 2, jitter: 0.2 } },
        concurrency: 50,
        queue: { max: 10000, maxAge: "24h" },
        egress: ["api.example.com:443"],
        url: "private",
        record: "metadata",
        result: "inline",
        podSecurity: "restricted",
        probe: { path: "/" },
        imagePullSecrets: ["registry"],
        imagePullPolicy: "Always",
        nodeSelector: { disk: "ssd" },
        tolerations: [{ key: "gpu", operator: "Exists", effect: "NoExecute", tolerationSeconds: 60 }],
        labels: { team: "media" },
        annotations: { note: "x" },
    },
};

test("every field of a manifest goes to the wire and back unchanged", () => {
    const wire = create(FunctionSchema, functionOf(WHOLE));
    expect(wire.runtime).toBe(Runtime.CONTAINER);
    expect(wire.mode).toBe(Mode.HTTP);
    expect(wire.record).toBe(RecordPolicy.METADATA);
    expect(manifestOf(wire)).toEqual(WHOLE);
});

test("every field of a manifest goes to YAML and back unchanged", () => {
    expect(parseYaml(toYaml(WHOLE))).toEqual({ manifest: WHOLE });
});

test("what the server found out is no part of the manifest", () => {
    const wire = create(FunctionSchema, {
        name: "a",
        namespace: "b",
        uid: "u",
        version: 3,
        etag: "e",
        readyCopies: 1,
    });
    expect(manifestOf(wire)).toEqual({ name: "a", namespace: "b", spec: {} });
});

test("a word where a number has to be is said with its field", () => {
    const wrong = { ...WHOLE, spec: { port: "many" } };
    expect(() => functionOf(wrong)).toThrow(ManifestError);
    expect(() => functionOf(wrong)).toThrow('port: has a value of the wrong kind, is "many"');
});

test("an edit keeps comments and leaves what did not change alone", () => {
    const text = `# ours
apiVersion: eventflow.io/v1alpha1
kind: Function
metadata: {name: "", namespace: default}
spec:
  concurrency: 1 # one by one
  timeout: 5s # short
  runtime: process
`;
    const parsed = parseYaml(text);
    if (!("manifest" in parsed)) throw new Error("it does not parse");
    const { manifest } = parsed;
    const edited = editYaml(text, {
        ...manifest,
        name: "b",
        spec: { timeout: "5s", port: 80, concurrency: 2 },
    });
    expect(edited).toContain("# ours");
    expect(edited).toContain("timeout: 5s # short");
    expect(edited).toContain("concurrency: 2 # one by one");
    expect(edited, "quotes of an empty name go").toContain("name: b,");
    expect(edited).toContain("port: 80");
    expect(edited).not.toContain("runtime");
});

test("an unknown field is refused with the nearest name and its line", () => {
    const text = toYaml({ ...WHOLE, spec: { timout: "30s" } });
    expect(parseYaml(text)).toEqual({
        problems: [{ message: "unknown field spec.timout: did you mean timeout?", line: 7 }],
    });
});

test("broken YAML is said with its line", () => {
    const parsed = parseYaml("kind: Function\nspec: [\n");
    expect("problems" in parsed && parsed.problems[0]?.line).toBeGreaterThan(1);
});

test("a name far from all known ones suggests nothing", () => {
    expect(nearest("replica", ["replicas", "retry"])).toBe("replicas");
    expect(nearest("zzzzzz", ["replicas", "retry"])).toBeUndefined();
});
