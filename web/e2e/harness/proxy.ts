import {
    createServer,
    type IncomingMessage,
    request,
    type Server as HttpServer,
    type ServerResponse,
} from "node:http";
import type { AddressInfo, Socket } from "node:net";

import type { Server } from "./server.ts";

type Mode = "pass" | "hold" | "cut";

/** Calls of the API; pages and their scripts are never disturbed. */
const API = /^\/(eventflow\.v1\.|v1\/|auth\/)/;

/**
 * What stands between a browser and a server. It passes everything on, until it is told to hold calls of the API or to
 * cut them off. As proxies on the internet do, it ends an answer that says nothing for `silenceMs`.
 */
export class Proxy {
    url = "";
    /** Calls of the API so far, by the end of their path, each with the pieces of its answer so far and whether it is over. */
    readonly calls: { name: string; pieces: number; ended: boolean }[] = [];
    /** Answers that were ended because of their silence. */
    silent = 0;
    private mode: Mode = "pass";
    private held: (() => void)[] = [];
    private readonly sockets = new Set<Socket>();
    private readonly http: HttpServer;

    private constructor(
        private readonly server: Server,
        private readonly silenceMs: number,
    ) {
        this.http = createServer((asked, answer) => this.take(asked, answer));
        this.http.on("connection", (socket: Socket) => {
            this.sockets.add(socket);
            socket.once("close", () => this.sockets.delete(socket));
        });
    }

    static async start(server: Server, silenceMs = 60_000): Promise<Proxy> {
        const proxy = new Proxy(server, silenceMs);
        await new Promise<void>((listening) => proxy.http.listen(0, "127.0.0.1", listening));
        proxy.url = `http://127.0.0.1:${(proxy.http.address() as AddressInfo).port}`;
        return proxy;
    }

    /** Calls wait from now on, as on a slow network. */
    hold(): void {
        this.mode = "hold";
    }

    /** Streams end in the middle, and nothing of the API is reached any more. */
    cut(): void {
        this.mode = "cut";
        this.sockets.forEach((socket) => socket.destroy());
    }

    /** All is well again; what was held goes on. */
    pass(): void {
        this.mode = "pass";
        this.held.splice(0).forEach((go) => go());
    }

    async stop(): Promise<void> {
        this.sockets.forEach((socket) => socket.destroy());
        await new Promise((closed) => this.http.close(closed));
    }

    private take(asked: IncomingMessage, answer: ServerResponse): void {
        const path = asked.url ?? "/";
        if (!API.test(path)) return this.forward(asked, answer);
        const call = { name: path.split("/").at(-1) ?? "", pieces: 0, ended: false };
        answer.on("close", () => (call.ended = true));
        this.calls.push(call);
        const forward = () => this.forward(asked, answer, () => (call.pieces += 1));
        if (this.mode === "cut") asked.socket.destroy();
        else if (this.mode === "hold") this.held.push(forward);
        else forward();
    }

    private forward(asked: IncomingMessage, answer: ServerResponse, onPiece?: () => void): void {
        const { host } = new URL(this.server.url);
        const headers = { ...asked.headers, host, ...(asked.headers.origin && { origin: this.server.url }) };
        // A connection of its own: a kept one would keep the limit of silence for whoever comes next.
        const options = { method: asked.method, headers, agent: false };
        const sent = request(this.server.url + (asked.url ?? "/"), options);
        sent.on("response", (got) => {
            answer.writeHead(got.statusCode ?? 502, got.headers);
            answer.flushHeaders();
            got.setTimeout(this.silenceMs, () => {
                this.silent += 1;
                answer.destroy();
                sent.destroy();
            });
            got.on("error", () => answer.destroy());
            if (onPiece) got.on("data", onPiece);
            got.pipe(answer);
        });
        sent.on("error", () => answer.destroy());
        answer.on("close", () => sent.destroy());
        asked.pipe(sent);
    }
}
