import { authorization, cliCommand, shellWord } from "@/lib/shell";

import { invokePath } from "./invoke";

/** A call to be written as a command. A file is named, not its content. */
export type CommandCall = {
    payload: { text: string } | { file: string };
    contentType: string;
    headers: readonly { name: string; value: string }[];
    waitSeconds: number | undefined;
    delay: string;
    version: string;
};

export function invokeCommands(server: string, namespace: string, name: string, call: CommandCall) {
    return [
        { label: "CLI", text: cli(server, namespace, name, call) },
        { label: "curl", text: curl(server, namespace, name, call) },
        { label: "grpcurl", text: grpcurl(server, namespace, name, call) },
    ];
}

const named = (call: CommandCall) => call.headers.filter((each) => each.name.trim());

function cli(server: string, namespace: string, name: string, call: CommandCall): string {
    const words = ["invoke", name];
    if ("file" in call.payload) words.push("--file", call.payload.file);
    else if (call.payload.text) words.push("--data", call.payload.text);
    if (call.contentType) words.push("-H", `Content-Type: ${call.contentType}`);
    named(call).forEach((each) => words.push("-H", `${each.name}: ${each.value}`));
    if (call.waitSeconds !== undefined) words.push("--wait", `${call.waitSeconds}s`);
    else words.push(...(call.delay ? ["--delay", call.delay] : ["--async"]));
    if (call.version) words.push("--version", call.version);
    return cliCommand(server, namespace, ...words);
}

function curl(server: string, namespace: string, name: string, call: CommandCall): string {
    const data = "file" in call.payload ? `@${call.payload.file}` : call.payload.text;
    const parts = ["curl -sS", authorization(server)];
    if (call.contentType) parts.push(`-H ${shellWord(`Content-Type: ${call.contentType}`)}`);
    named(call).forEach((each) => parts.push(`-H ${shellWord(`${each.name}: ${each.value}`)}`));
    // A text that begins with @ would be taken for a file.
    const flag = "text" in call.payload && data.startsWith("@") ? "--data-raw" : "--data-binary";
    parts.push(data ? `${flag} ${shellWord(data)}` : "-X POST");
    parts.push(shellWord(`${server}${invokePath(namespace, name, call)}`));
    return parts.join(" \\\n  ");
}

function grpcurl(server: string, namespace: string, name: string, call: CommandCall): string {
    const url = new URL(server);
    const request: Record<string, unknown> = { namespace, name };
    const payload: Record<string, string> = call.contentType ? { contentType: call.contentType } : {};
    const text = "text" in call.payload ? call.payload.text : "";
    if (text) payload["data"] = base64(text);
    // The shell puts the file in.
    if ("file" in call.payload) payload["data"] = FILE_MARK;
    if (Object.keys(payload).length > 0) request["payload"] = payload;
    if (call.waitSeconds !== undefined) request["wait"] = `${call.waitSeconds}s`;
    else if (call.delay) request["delay"] = secondsOf(call.delay);
    if (call.version) request["version"] = Number(call.version);
    const json = shellWord(JSON.stringify(request));
    const body =
        "file" in call.payload
            ? json.replace(FILE_MARK, `'"$(base64 -w0 ${shellWord(call.payload.file)})"'`)
            : json;
    const key = named(call).find((each) => each.name.toLowerCase() === "idempotency-key");
    return [
        `grpcurl${url.protocol === "http:" ? " -plaintext" : ""}`,
        authorization(server),
        ...(key ? [`-H ${shellWord(`idempotency-key: ${key.value}`)}`] : []),
        `-d ${body}`,
        url.port ? url.host : `${url.hostname}:${url.protocol === "http:" ? 80 : 443}`,
        "eventflow.v1.FunctionService/InvokeFunction",
    ].join(" \\\n  ");
}

const FILE_MARK = "@FILE@";

function base64(text: string): string {
    return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

const UNITS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };

/** A duration of manifests, `1h30m`, in the form of JSON for gRPC: `5400s`. */
export function secondsOf(duration: string): string {
    const parts = [...duration.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)];
    return `${parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNITS[unit ?? "s"] ?? 1), 0)}s`;
}
