import { gzipSync } from "node:zlib";

import type { Plugin } from "vite";

/** What the budget needs to know of a chunk of the build. */
export type Chunk = {
    fileName: string;
    code: string;
    isEntry: boolean;
    imports: string[];
    /** File names of the styles that come with it. */
    styles: string[];
};

/** What a page loads first. */
export type Load = {
    page: string;
    /** Bytes, gzipped. */
    script: number;
    /** Bytes, gzipped. */
    style: number;
    /** Scripts and styles. */
    files: number;
};

/** Most of what any page may load first. */
export type Budget = { scriptKilobytes: number; styleKilobytes: number; files: number };

/**
 * What each page loads first: the entry and the chunk that holds the page, with all that both import. What is imported
 * on demand by a page counts as a page of its own, on top of the entry. The heaviest comes first.
 */
export function firstLoads(chunks: readonly Chunk[], styles: ReadonlyMap<string, string>): Load[] {
    const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
    const sizes = new Map<string, number>();
    const gzipped = (name: string, text: string) => {
        const size = sizes.get(name) ?? gzipSync(text).length;
        sizes.set(name, size);
        return size;
    };
    const closure = (name: string, seen: Set<string>): Set<string> => {
        if (!seen.has(name)) {
            seen.add(name);
            byName.get(name)?.imports.forEach((imported) => closure(imported, seen));
        }
        return seen;
    };
    const sum = (names: Iterable<string>, text: (name: string) => string | undefined) =>
        [...names].reduce((total, name) => total + gzipped(name, text(name) ?? ""), 0);
    const entries = new Set<string>();
    chunks.filter((chunk) => chunk.isEntry).forEach((chunk) => closure(chunk.fileName, entries));
    return chunks
        .map(({ fileName }) => {
            const scripts = closure(fileName, new Set(entries));
            const sheets = new Set([...scripts].flatMap((name) => byName.get(name)?.styles ?? []));
            return {
                page: fileName,
                script: sum(scripts, (name) => byName.get(name)?.code),
                style: sum(sheets, (name) => styles.get(name)),
                files: scripts.size + sheets.size,
            };
        })
        .sort((one, other) => other.script - one.script);
}

const kilobytes = (bytes: number) => (bytes / 1000).toFixed(1);

/** What breaks the budget, in words; empty where nothing does. */
export function overspent(loads: readonly Load[], budget: Budget): string[] {
    return loads.flatMap(({ page, script, style, files }) => [
        ...(script > budget.scriptKilobytes * 1000
            ? [`${page}: ${kilobytes(script)} kB of script, more than ${budget.scriptKilobytes} kB`]
            : []),
        ...(style > budget.styleKilobytes * 1000
            ? [`${page}: ${kilobytes(style)} kB of style, more than ${budget.styleKilobytes} kB`]
            : []),
        ...(files > budget.files ? [`${page}: ${files} files, more than ${budget.files}`] : []),
    ]);
}

/** Fails the build where the first load of any page is over the budget. */
export function loadBudget(budget: Budget): Plugin {
    return {
        name: "eventflow-load-budget",
        apply: "build",
        generateBundle(_options, bundle) {
            const outputs = Object.values(bundle);
            const chunks = outputs
                .filter((output) => output.type === "chunk")
                .map((chunk) => ({
                    ...{ fileName: chunk.fileName, code: chunk.code, isEntry: chunk.isEntry },
                    imports: chunk.imports,
                    styles: [...(chunk.viteMetadata?.importedCss ?? [])],
                }));
            const styles = new Map(
                outputs
                    .filter((output) => output.type === "asset" && output.fileName.endsWith(".css"))
                    .map((sheet) => [
                        sheet.fileName,
                        sheet.type === "asset" ? Buffer.from(sheet.source).toString("utf8") : "",
                    ]),
            );
            const loads = firstLoads(chunks, styles);
            const [most] = loads;
            if (!most) return;
            const over = overspent(loads, budget);
            if (over.length > 0) this.error(`first load over its budget:\n${over.join("\n")}`);
            const files = Math.max(...loads.map((load) => load.files));
            this.info(
                `first load, gzipped: at most ${kilobytes(most.script)} kB of script and ` +
                    `${kilobytes(most.style)} kB of style (${most.page}), in at most ${files} files`,
            );
        },
    };
}
