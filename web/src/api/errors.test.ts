import { Code, ConnectError } from "@connectrpc/connect";
import { expect, test } from "vitest";

import { isFinal, lineOf, problemOf, restError } from "./errors";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./generated/google/rpc/error_details_pb";

test("an error of the server is told by its reason, its own words and its fields", () => {
    const problem = problemOf(
        new ConnectError("timeout: must be a duration", Code.InvalidArgument, undefined, [
            { desc: ErrorInfoSchema, value: { reason: "Invalid", metadata: { kind: "Invalid" } } },
            {
                desc: BadRequestSchema,
                value: { fieldViolations: [{ field: "timeout", description: "must be a duration" }] },
            },
            { desc: RetryInfoSchema, value: { retryDelay: { seconds: 2n, nanos: 500_000_000 } } },
        ]),
    );
    expect(problem).toMatchObject({
        title: "Some fields break rules",
        message: "timeout: must be a duration",
        reason: "Invalid",
        facts: { kind: "Invalid" },
        violations: [{ field: "timeout", description: "must be a duration" }],
        retryAfterMs: 2500,
        temporary: false,
        unreachable: false,
    });
});

test("a reason has words of its own where they say more than the code", () => {
    const error = new ConnectError("x", Code.Unauthenticated, undefined, [
        { desc: ErrorInfoSchema, value: { reason: "LoginFailed" } },
    ]);
    expect(problemOf(error).title).toBe("User and password do not match");
});

test("a server that is not there is said so, and is tried again", () => {
    const error = ConnectError.from(new TypeError("Failed to fetch"));
    expect(problemOf(error)).toMatchObject({ unreachable: true, temporary: true });
    expect(lineOf(error)).toContain("cannot be reached");
    expect(isFinal(error)).toBe(false);
});

test("trying again is of no use where the request itself is refused", () => {
    expect(isFinal(new ConnectError("", Code.PermissionDenied))).toBe(true);
    expect(isFinal(new ConnectError("", Code.Unavailable))).toBe(false);
    expect(isFinal(new ConnectError("", Code.Unknown))).toBe(false);
});

test("a problem+json answer carries the same facts as a gRPC error", async () => {
    const body = {
        detail: "the function failed: exit code 3",
        reason: "FunctionFailed",
        metadata: { invocationId: "i1", attempt: 2 },
        errors: [{ field: "image", description: "is required" }],
    };
    const problem = problemOf(await restError(new Response(JSON.stringify(body), { status: 502 })));
    expect(problem).toMatchObject({
        title: "The function failed",
        message: "the function failed: exit code 3",
        reason: "FunctionFailed",
        facts: { invocationId: "i1", attempt: "2" },
        violations: [{ field: "image", description: "is required" }],
        unreachable: false,
    });
});

test("an answer that is no problem+json is one of a proxy whose server is down, or told by its status", async () => {
    const down = problemOf(await restError(new Response("<html>", { status: 503 })));
    expect(down.unreachable).toBe(true);
    const odd = problemOf(await restError(new Response("<html>", { status: 418 })));
    expect(odd).toMatchObject({ unreachable: false, message: "HTTP 418" });
});
