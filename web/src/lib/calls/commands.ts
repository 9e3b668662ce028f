/** Text as one word of a POSIX shell. */
export function shellWord(text: string): string {
    return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

function cli(server: string, namespace: string, ...words: string[]): string {
    const target = [
        ...(server === DEFAULT_SERVER ? [] : ["--url", server]),
        ...(namespace === "default" ? [] : ["-n", namespace]),
    ];
    return ["eventflow", ...target, ...words].map(shellWord).join(" ");
}

/** Where the CLI looks by itself. */
const DEFAULT_SERVER = "http://127.0.0.1:8080";

/** Asks the CLI for the token, so that none is ever on the clipboard. */
const TOKEN = '-H "Authorization: Bearer $(eventflow login --print)"';

function curl(server: string, path: string, ...words: string[]): string {
    return ["curl", "-sS", TOKEN, ...words.map(shellWord), shellWord(`${server}${path}`)].join(" ");
}

export type Call = { readonly id: string; readonly namespace: string };
export type Command = { readonly label: string; readonly text: string };

/** What does the same in a terminal. */
export function callCommands(server: string, { id, namespace }: Call): Command[] {
    const path = `/v1/namespaces/${encodeURIComponent(namespace)}/invocations/${encodeURIComponent(id)}`;
    return [
        { label: "Record (CLI)", text: cli(server, namespace, "invocations", "get", id) },
        { label: "Record (curl)", text: curl(server, path) },
        { label: "Result (CLI)", text: cli(server, namespace, "invocations", "result", id) },
        { label: "Result (curl)", text: curl(server, `${path}/result`) },
        { label: "Logs (CLI)", text: cli(server, namespace, "logs", "--follow", "--invocation", id) },
        { label: "Logs (curl)", text: curl(server, `${path}/logs?follow=true`, "-N") },
        { label: "Cancel (CLI)", text: cli(server, namespace, "invocations", "cancel", id) },
        { label: "Replay (CLI)", text: cli(server, namespace, "invocations", "replay", id) },
    ];
}

/** A replay with an edited payload; null: with the recorded one. */
export function replayCommand(
    server: string,
    { id, namespace }: Call,
    payload: string | null,
    version: number,
): string {
    const words = ["invocations", "replay", id];
    if (payload !== null) words.push("--data", payload);
    if (version > 0) words.push("--version", String(version));
    return cli(server, namespace, ...words);
}
