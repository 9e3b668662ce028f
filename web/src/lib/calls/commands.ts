import { authorization, cliCommand, shellWord } from "@/lib/shell";

function curl(server: string, path: string, ...words: string[]): string {
    return [
        "curl",
        "-sS",
        authorization(server),
        ...words.map(shellWord),
        shellWord(`${server}${path}`),
    ].join(" ");
}

export type Call = { readonly id: string; readonly namespace: string };
export type Command = { readonly label: string; readonly text: string };

/** What does the same in a terminal. */
export function callCommands(server: string, { id, namespace }: Call): Command[] {
    const path = `/v1/namespaces/${encodeURIComponent(namespace)}/invocations/${encodeURIComponent(id)}`;
    return [
        { label: "Record (CLI)", text: cliCommand(server, namespace, "invocations", "get", id) },
        { label: "Record (curl)", text: curl(server, path) },
        { label: "Result (CLI)", text: cliCommand(server, namespace, "invocations", "result", id) },
        { label: "Result (curl)", text: curl(server, `${path}/result`) },
        { label: "Logs (CLI)", text: cliCommand(server, namespace, "logs", "--follow", "--invocation", id) },
        { label: "Logs (curl)", text: curl(server, `${path}/logs?follow=true`, "-N") },
        { label: "Cancel (CLI)", text: cliCommand(server, namespace, "invocations", "cancel", id) },
        { label: "Replay (CLI)", text: cliCommand(server, namespace, "invocations", "replay", id) },
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
    return cliCommand(server, namespace, ...words);
}
