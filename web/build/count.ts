import type { Reporter, TestModule } from "vitest/node";

/** Says at the end how many tests there were, in the words that `scripts/test.sh` counts. */
export default class Count implements Reporter {
    onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
        const count = { passed: 0, failed: errors.length, skipped: 0, pending: 0 };
        for (const module of modules) {
            // A file that could not be read has no tests, and is a failure too.
            if (module.errors().length > 0) count.failed += 1;
            for (const test of module.children.allTests()) count[test.result().state] += 1;
        }
        process.stdout.write(
            `${count.passed} passed, ${count.failed} failed, ${count.skipped + count.pending} skipped\n`,
        );
    }
}
