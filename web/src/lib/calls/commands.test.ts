import { describe, expect, it } from "vitest";
import { callCommands, replayCommand } from "./commands";

describe("commands", () => {
    const call = { id: "0190-a", namespace: "default" };
    const find = (label: string, server: string, namespace = "default") =>
        callCommands(server, { ...call, namespace }).find((command) => command.label === label)?.text;

    it("are as short as may be for the default server", () => {
        expect(find("Record (CLI)", "http://127.0.0.1:8080")).toBe("eventflow invocations get 0190-a");
    });

    it("name another server and namespace", () => {
        expect(find("Record (CLI)", "https://ef.example", "media")).toBe(
            "eventflow --url https://ef.example -n media invocations get 0190-a",
        );
        expect(find("Result (curl)", "https://ef.example", "media")).toBe(
            'curl -sS -H "Authorization: Bearer $(eventflow --url https://ef.example login --print)" https://ef.example/v1/namespaces/media/invocations/0190-a/result',
        );
    });

    it("quote an edited payload", () => {
        expect(replayCommand("http://127.0.0.1:8080", call, `{"a": "it's"}`, 3)).toBe(
            `eventflow invocations replay 0190-a --data '{"a": "it'\\''s"}' --version 3`,
        );
        expect(replayCommand("http://127.0.0.1:8080", call, null, 0)).toBe(
            "eventflow invocations replay 0190-a",
        );
    });
});
