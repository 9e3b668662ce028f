import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";

import { authorization, shellWord } from "./shell";

describe("shellWord", () => {
    it.each([
        "plain",
        "",
        "two words",
        `it's`,
        "$(rm -rf /)",
        "`id`",
        '"q"',
        "a\nb",
        "\\",
        "!x",
        "*",
        "-n",
        "''",
        "#x",
        "~",
    ])("is read by a shell as %j", (text) => {
        expect(execFileSync("sh", ["-c", `printf %s. ${shellWord(text)}`]).toString()).toBe(`${text}.`);
    });
});

describe("authorization", () => {
    it("asks for a token of the same server", () => {
        expect(authorization("http://127.0.0.1:8080")).toContain("$(eventflow login --print)");
        expect(authorization("https://ef.example")).toContain(
            "$(eventflow --url https://ef.example login --print)",
        );
    });
});
