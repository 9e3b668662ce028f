import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

import type { Plugin } from "vite";

/** Smaller files are not worth a header. */
const SMALLEST = 1024;
const TEXT = /\.(html|js|css|svg|json|webmanifest|txt)$/;

/** Lays `.br` and `.gz` beside each text of the build, so that the server need not compress. */
export function compressed(): Plugin {
    return {
        name: "eventflow-compressed",
        apply: "build",
        writeBundle({ dir }) {
            if (dir === undefined) return;
            for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
                const path = join(entry.parentPath, entry.name);
                if (!entry.isFile() || !TEXT.test(entry.name)) continue;
                const bytes = readFileSync(path);
                if (bytes.length < SMALLEST) continue;
                const quality = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
                writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params: quality }));
                writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
            }
        },
    };
}
