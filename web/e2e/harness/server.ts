import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { promisify } from "node:util";

/** The binary under test: `$EVENTFLOW_BIN`, else the debug build of this repository. */
const BINARY =
    process.env["EVENTFLOW_BIN"] ?? resolve(import.meta.dirname, "../../../target/debug/eventflow");
const START_MS = 120_000;
const GRACE_MS = 15_000;

export type Declaration = Record<string, unknown> & { name: string };
type Json = Record<string, unknown>;
export type Session = { token: string; username: string };

/** `eventflow dev` with fresh data, on a port of its own that it keeps over restarts. */
export class Server {
    url = "";
    token = "";
    private process: ChildProcess | undefined;
    private said: string[] = [];

    private readonly data = mkdtempSync(join(tmpdir(), "eventflow-web-"));

    /** `settings` are KEY=VALUE as for `--set`. It does not run before `start`. */
    constructor(private readonly settings: readonly string[] = []) {}

    async start(): Promise<void> {
        await this.run("127.0.0.1:0");
        this.token = await this.login();
    }

    private async run(listen: string): Promise<void> {
        const args = ["dev", "--no-examples", "--listen", listen, "--data", join(this.data, "data")];
        const all = [...args, ...this.settings.flatMap((setting) => ["--set", setting])];
        const child = spawn(BINARY, all, { stdio: ["ignore", "pipe", "pipe"] });
        this.process = child;
        this.said = [];
        createInterface({ input: child.stderr }).on("line", (line) => {
            this.said.push(line);
            this.said.splice(0, this.said.length - 50);
        });
        const ready = new Promise<string>((found, failed) => {
            const timer = setTimeout(() => failed(new Error(`not ready: ${this.log()}`)), START_MS);
            child.once("error", failed);
            child.once("exit", (code) => failed(new Error(`ended with ${String(code)}: ${this.log()}`)));
            createInterface({ input: child.stdout }).on("line", (line) => {
                const url = /ready on (http:\S+)/.exec(line)?.[1];
                if (url === undefined) return;
                clearTimeout(timer);
                found(url);
            });
        });
        this.url = await ready;
    }

    private log(): string {
        return this.said.join("\n");
    }

    private async end(signal: NodeJS.Signals): Promise<void> {
        const child = this.process;
        this.process = undefined;
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
        const ended = once(child, "exit");
        child.kill(signal);
        const timer = setTimeout(() => child.kill("SIGKILL"), GRACE_MS);
        await ended;
        clearTimeout(timer);
    }

    /** As a crash of the machine would: at once, without a word to anybody. */
    async kill(): Promise<void> {
        await this.end("SIGKILL");
    }

    /** Starts the same server again, after `kill`. */
    async comeBack(): Promise<void> {
        await this.run(new URL(this.url).host);
    }

    /** Ends the server and removes its data. */
    async stop(): Promise<void> {
        await this.end("SIGTERM");
        // What a function left running may still write there.
        await rm(this.data, { recursive: true, force: true, maxRetries: 5 });
    }

    /** A file in the folder of this server, for functions that wait for one. */
    file(name: string): string {
        return join(this.data, name);
    }

    async login(): Promise<string> {
        const answer = await this.rest("POST", "/auth/token", { username: "admin", password: "admin" });
        return String(answer["token"]);
    }

    /** A session of somebody with these rights only, signed as the server signs its own tokens. */
    sessionOf(username: string, grants: { namespace: string; role: string }[]): Session {
        const key = readFileSync(join(this.data, "data/jwt.key"), "utf8").trim();
        const now = Math.floor(Date.now() / 1000);
        const claims = {
            iss: "eventflow",
            aud: "eventflow-api",
            sub: username,
            iat: now,
            exp: now + 3600,
            grants,
        };
        const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
        const signed = `${part({ typ: "JWT", alg: "HS256" })}.${part(claims)}`;
        const signature = createHmac("sha256", key).update(signed).digest("base64url");
        return { username, token: `${signed}.${signature}` };
    }

    /** Runs what a page offers for a terminal, with `eventflow` on the path; its output. */
    async shell(command: string): Promise<string> {
        const home = join(this.data, "home");
        if (!existsSync(home)) {
            mkdirSync(home);
            symlinkSync(BINARY, join(home, "eventflow"));
        }
        const { stdout } = await promisify(execFile)("/bin/sh", ["-ec", command], {
            env: { HOME: home, PATH: `${home}:${process.env["PATH"] ?? ""}` },
            timeout: 60_000,
        });
        return stdout;
    }

    async rest(method: string, path: string, body?: unknown): Promise<Json> {
        const headers: Record<string, string> = { authorization: `Bearer ${this.token}` };
        if (body !== undefined) headers["content-type"] = "application/json";
        const response = await fetch(this.url + path, {
            method,
            headers,
            body: body === undefined ? null : JSON.stringify(body),
        });
        const text = await response.text();
        if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
        return text === "" ? {} : (JSON.parse(text) as Json);
    }

    async apply(function_: Declaration): Promise<void> {
        await this.rest("POST", "/v1/functions", function_);
    }

    /** A job that runs a shell script. */
    async applyShell(name: string, script: string, more: Json = {}): Promise<void> {
        await this.apply({ name, runtime: "process", command: ["/bin/sh", "-c", script], ...more });
    }

    /** Calls a function without waiting; the call's id. */
    async invoke(name: string, payload = "", contentType = "text/plain"): Promise<string> {
        const response = await fetch(`${this.url}/v1/functions/${name}:invoke`, {
            method: "POST",
            headers: { authorization: `Bearer ${this.token}`, "content-type": contentType },
            body: payload,
        });
        const answer = (await response.json()) as Json;
        if (response.status !== 202) throw new Error(`invoke ${name}: ${JSON.stringify(answer)}`);
        return String(answer["id"]);
    }

    /** The record of a call once it has ended. */
    async ended(id: string): Promise<Json> {
        return this.rest("GET", `/v1/invocations/${id}?wait=30s`);
    }
}
