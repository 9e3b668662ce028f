import { expect, test } from "vitest";

import type { Manifest } from "@/manifest/manifest";

import { manifestFrom, valuesOf } from "./values";
import { place, placeOf } from "./violations";

const manifest: Manifest = {
    name: "resize",
    namespace: "media",
    spec: {
        image: "registry.example/resize:1.4",
        runtime: "container",
        mode: "http",
        command: ["/bin/resize"],
        args: ["--fast", ""],
        env: { ENV: "production", EMPTY: "" },
        envFrom: [{ secretRef: { name: "keys" } }, { configMapRef: { name: "conf" } }],
        port: 8080,
        scaling: { min: 0, max: 20, concurrency: 10, cpu: 80 },
        resources: { cpu: "250m", memory: "128Mi" },
        timeout: "30s",
        startDeadline: "2m",
        retry: { maxAttempts: 4, backoff: { initial: "1s", max: "5m", factor: 2, jitter: 0.2 } },
        concurrency: 50,
        queue: { max: 10000, maxAge: "24h" },
        egress: ["api.example.com:443"],
        url: "public",
        record: "metadata",
        result: "file",
        podSecurity: "baseline",
        probe: { path: "/ready" },
        imagePullSecrets: ["registry"],
        imagePullPolicy: "Always",
        nodeSelector: { disk: "ssd" },
        tolerations: [
            { key: "gpu", operator: "Equal", value: "yes", effect: "NoExecute", tolerationSeconds: 60 },
        ],
        labels: { team: "media" },
        annotations: { note: "x" },
    },
};

test("the form has a field for every field of the manifest: nothing is lost on the way through it", () => {
    expect(manifestFrom(valuesOf(manifest))).toEqual(manifest);
});

test("fixed copies and none said go through the form too", () => {
    for (const spec of [{ replicas: 3 }, {}]) {
        expect(manifestFrom(valuesOf({ ...manifest, spec }))).toEqual({ ...manifest, spec });
    }
});

test("text that is no number stays as it was typed, so that it can be refused", () => {
    expect(manifestFrom({ ...valuesOf({ ...manifest, spec: {} }), port: "many" }).spec).toEqual({
        port: "many",
    });
});

test("a row of the environment without a name is left out", () => {
    const values = { ...valuesOf({ ...manifest, spec: {} }), env: [{ key: "", value: "x" }] };
    expect(manifestFrom(values).spec).toEqual({});
});

test("violations are placed at the field or the row that they name", () => {
    const values = valuesOf(manifest);
    expect(placeOf("timeout", values)).toBe("timeout");
    expect(placeOf("retry.backoff.factor", values)).toBe("retry.backoff.factor");
    expect(placeOf("env.EMPTY", values)).toBe("env.1.key");
    expect(placeOf("envFrom[1].configMapRef.name", values)).toBe("envFrom.1.name");
    expect(placeOf("egress[0]", values)).toBe("egress.0.value");
    expect(placeOf("tolerations[0].effect", values)).toBe("tolerations.0.effect");
    expect(placeOf("function.image", values)).toBe("image");
});

test("a violation without a field in the form is kept, with the field's name", () => {
    const { placed, others } = place(
        [
            { field: "timeout", description: "must be a duration" },
            { field: "egress[7]", description: "must be host:port" },
        ],
        valuesOf(manifest),
    );
    expect(placed).toEqual([{ at: "timeout", message: "Must be a duration" }]);
    expect(others).toEqual(["egress[7]: must be host:port"]);
});
