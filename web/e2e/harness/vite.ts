import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import type { Server } from "./server.ts";

const WEB = resolve(import.meta.dirname, "../..");
const PARTS = ["build", "index.html", "package.json", "public", "src", "tsconfig.json", "vite.config.ts"];

/** `npm run dev` on a copy of the sources, so that a test can change them. */
export class ViteServer {
    private constructor(
        readonly url: string,
        private readonly folder: string,
        private readonly end: () => Promise<void>,
    ) {}

    static async start(server: Server): Promise<ViteServer> {
        const folder = await mkdtemp(join(tmpdir(), "eventflow-vite-"));
        for (const part of PARTS) await cp(join(WEB, part), join(folder, part), { recursive: true });
        await symlink(join(WEB, "node_modules"), join(folder, "node_modules"));
        const port = await freePort();
        const child = spawn("npm", ["run", "dev", "--", "--port", String(port), "--strictPort"], {
            cwd: folder,
            // A group of its own: npm, its shell and Vite end together.
            detached: true,
            stdio: ["ignore", "pipe", "inherit"],
            env: { ...process.env, EVENTFLOW_URL: server.url, NO_COLOR: "1" },
        });
        const end = async () => {
            const ended = child.exitCode === null ? once(child, "exit") : undefined;
            if (ended && child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
            await ended;
            await rm(folder, { recursive: true, force: true });
        };
        const url = await new Promise<string>((found, failed) => {
            child.once("exit", (code) => failed(new Error(`npm run dev ended with ${String(code)}`)));
            createInterface({ input: child.stdout }).on("line", (line) => {
                const told = /(http:\/\/127\.0\.0\.1:\d+)/.exec(line)?.[1];
                if (told !== undefined) found(told);
            });
        }).catch(async (error: unknown) => {
            await end();
            throw error;
        });
        return new ViteServer(url, folder, end);
    }

    /** Changes a source, as an editor does. */
    async edit(path: string, from: string, to: string): Promise<void> {
        const file = join(this.folder, path);
        const text = await readFile(file, "utf8");
        if (!text.includes(from)) throw new Error(`${path} does not say ${from}`);
        await writeFile(file, text.replace(from, to));
    }

    stop(): Promise<void> {
        return this.end();
    }
}

/** A port that nobody has just now: Vite takes no 0. */
async function freePort(): Promise<number> {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, "close");
    return port;
}
