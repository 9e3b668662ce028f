import { gzipSync } from "node:zlib";

import type { Plugin } from "vite";

/** What the budget needs to know of a chunk of the build. */
export type Chunk = {
    fileName: string;
    code: string;
    isEntry: boolean;
    imports: string[];
};

/**
 * Bytes of gzipped script that each page loads first: the entry and the chunk that holds the page, with all that both
 * import. What is imported on demand by a page counts as a page of its own, on top of the entry.
 */
export function firstLoads(chunks: Chunk[]): { page: string; bytes: number }[] {
    const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
    const closure = (name: string, seen: Set<string>): Set<string> => {
        if (!seen.has(name)) {
            seen.add(name);
            byName.get(name)?.imports.forEach((imported) => closure(imported, seen));
        }
        return seen;
    };
    const bytes = (names: Iterable<string>) =>
        [...names].reduce((sum, name) => sum + gzipSync(byName.get(name)?.code ?? "").length, 0);
    const entries = new Set<string>();
    chunks.filter((chunk) => chunk.isEntry).forEach((chunk) => closure(chunk.fileName, entries));
    return chunks
        .map((chunk) => ({
            page: chunk.fileName,
            bytes: bytes(closure(chunk.fileName, new Set(entries))),
        }))
        .sort((one, other) => other.bytes - one.bytes);
}

/** Fails the build when the first load of any page is more gzipped script than this. */
export function scriptBudget({ kilobytes }: { kilobytes: number }): Plugin {
    return {
        name: "eventflow-script-budget",
        apply: "build",
        generateBundle(_options, bundle) {
            const chunks = Object.values(bundle).filter((output) => output.type === "chunk");
            const [largest] = firstLoads(chunks);
            if (!largest) return;
            const told = `first load: at most ${(largest.bytes / 1000).toFixed(1)} kB of script, gzipped (${largest.page})`;
            if (largest.bytes > kilobytes * 1000) {
                this.error(`${told}, more than the budget of ${kilobytes} kB`);
            }
            this.info(told);
        },
    };
}
