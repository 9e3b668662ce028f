import { readFileSync } from "node:fs";
import { resolve } from "node:path";

import { expect, test } from "vitest";

const read = (path: string) => readFileSync(resolve(import.meta.dirname, "../..", path), "utf8");

test("nginx guards the pages with the same policy as the gateway, and it allows no inline script or style", () => {
    const rust = /const POLICY: &str = "([^"]*)"/.exec(read("gateway/src/ui/answer.rs"))?.[1] ?? "";
    const gateway = rust.replace(/\\\n\s*/g, "");
    const nginx = /add_header Content-Security-Policy "([^"]*)"/.exec(read("deploy/nginx/nginx.conf"))?.[1];
    expect(gateway).toContain("script-src 'self';");
    expect(gateway).not.toMatch(/unsafe|\*/);
    expect(nginx).toBe(gateway);
});
