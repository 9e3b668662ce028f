import { resolve } from "node:path";

import { defineConfig } from "vitest/config";

/** The UI in a real Chromium against the real `eventflow dev`: one browser at a time. */
export default defineConfig({
    test: {
        root: import.meta.dirname,
        include: ["*.spec.ts"],
        environment: "node",
        reporters: ["default", resolve(import.meta.dirname, "../build/count.ts")],
        fileParallelism: false,
        testTimeout: 90_000,
        hookTimeout: 120_000,
        // A second is too short where the machine does other things beside.
        expect: { poll: { timeout: 10_000 } },
    },
});
