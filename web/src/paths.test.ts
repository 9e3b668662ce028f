import { matchPath } from "react-router";
import { expect, test } from "vitest";

import { paths, patterns, safeNext } from "./paths";

test("addresses carry names as they are, whatever is in them", () => {
    expect(paths.function("a/b", "x y", "logs")).toBe("/n/a%2Fb/functions/x%20y/logs");
    expect(paths.invocations("-", { state: ["FAILED", "QUEUED"], function: "", caller: "a&b" })).toBe(
        "/n/-/invocations?state=FAILED&state=QUEUED&caller=a%26b",
    );
});

test("every address is one that the router knows", () => {
    const known = [patterns.functions, patterns.functionNew, patterns.function, patterns.invocation];
    const found = [
        paths.functions("n"),
        paths.functionNew("n"),
        paths.function("n", "f"),
        paths.invocation("n", "i"),
    ];
    found.forEach((path, at) =>
        expect(matchPath(`${patterns.namespace}/${known[at]}`, path), path).not.toBeNull(),
    );
});

test("a login leads to addresses of this site only", () => {
    expect(safeNext("/n/default/functions?q=a")).toBe("/n/default/functions?q=a");
    for (const bad of [
        null,
        "",
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ]) {
        expect(safeNext(bad), String(bad)).toBe("/");
    }
});
