import { expect, test } from "vitest";

import { invokeCommands, secondsOf, type CommandCall } from "./commands";

const call: CommandCall = {
    payload: { text: `{"name": "it's"}` },
    contentType: "application/json",
    headers: [
        { name: "Idempotency-Key", value: "k 1" },
        { name: "", value: "dropped" },
    ],
    waitSeconds: 10,
    delay: "",
    version: "3",
};
const commands = (server: string, change: Partial<CommandCall> = {}) =>
    Object.fromEntries(
        invokeCommands(server, "media", "resize", { ...call, ...change }).map(({ label, text }) => [
            label,
            text,
        ]),
    );

test("the CLI's command quotes what a shell would read", () => {
    expect(commands("http://127.0.0.1:8080")["CLI"]).toBe(
        `eventflow -n media invoke resize --data '{"name": "it'\\''s"}' -H 'Content-Type: application/json' ` +
            `-H 'Idempotency-Key: k 1' --wait 10s --version 3`,
    );
});

test("curl sends the same request as the panel, with a token that is asked for when it runs", () => {
    const text = commands("https://flow.example")["curl"] ?? "";
    expect(text).toContain(
        `'https://flow.example/v1/namespaces/media/functions/resize:invoke?wait=10s&version=3'`,
    );
    expect(text).toContain(`"Authorization: Bearer $(eventflow --url https://flow.example login --print)"`);
    expect(text).toContain(`--data-binary '{"name": "it'\\''s"}'`);
});

test("a text that begins with @ is not taken for a file", () => {
    expect(commands("http://h:1", { payload: { text: "@here" } })["curl"]).toContain("--data-raw @here");
});

test("grpcurl gets the payload in base64, a plain port in the clear, and a file from the shell", () => {
    const text = commands("http://127.0.0.1:8080", { payload: { text: "hé" } })["grpcurl"] ?? "";
    expect(text).toContain("grpcurl -plaintext");
    expect(text).toContain(`"data":"aMOp"`);
    expect(text).toContain(`"wait":"10s"`);
    const file = commands("https://flow.example", { payload: { file: "in put.png" } })["grpcurl"] ?? "";
    expect(file).not.toContain("-plaintext");
    expect(file).toContain("flow.example:443");
    expect(file).toContain(`"data":"'"$(base64 -w0 'in put.png')"'"`);
});

test("without a wait the call is asynchronous, or delayed", () => {
    expect(commands("http://h:1", { waitSeconds: undefined })["CLI"]).toContain("--async");
    const later = commands("http://h:1", { waitSeconds: undefined, delay: "1h30m" });
    expect(later["CLI"]).toContain("--delay 1h30m");
    expect(later["curl"]).toContain("delay=1h30m");
    expect(later["grpcurl"]).toContain(`"delay":"5400s"`);
});

test("durations of manifests are understood", () => {
    expect(["30s", "5m", "500ms", "1d"].map(secondsOf)).toEqual(["30s", "300s", "0.5s", "86400s"]);
});
