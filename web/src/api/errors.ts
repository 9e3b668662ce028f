import { Code, ConnectError } from "@connectrpc/connect";

import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "./generated/google/rpc/error_details_pb";

/** An error in words: what people read, and what a form needs to put it at its field. */
export type Problem = {
    /** A few words for a heading. */
    title: string;
    /** The server's own message, or what to do. */
    message: string;
    /** The stable word of docs/errors.md. */
    reason?: string;
    /** Facts beside the reason, such as `etag`, `state` or `invocationId`. */
    facts: Record<string, string>;
    /** Rules that fields broke, by the manifest's path such as `scaling.max` or `env[0]`. */
    violations: { field: string; description: string }[];
    /** The same request may succeed later. */
    temporary: boolean;
    /** Wait at least this long before trying again. */
    retryAfterMs?: number;
    /** The server could not be reached at all. */
    unreachable: boolean;
};

const TITLES: Partial<Record<Code, string>> = {
    [Code.InvalidArgument]: "Some fields break rules",
    [Code.Unauthenticated]: "You are not logged in",
    [Code.PermissionDenied]: "Your role does not allow this",
    [Code.NotFound]: "Not found",
    [Code.AlreadyExists]: "Exists already",
    [Code.Aborted]: "Changed meanwhile",
    [Code.FailedPrecondition]: "Not possible in this state",
    [Code.ResourceExhausted]: "Too much at once",
    [Code.Unavailable]: "EventFlow does not answer",
    [Code.DeadlineExceeded]: "It took too long",
    [Code.Canceled]: "Cancelled",
    [Code.Unimplemented]: "The server does not know this yet",
};

/** Better titles where the reason says more than the code. */
const REASON_TITLES: Record<string, string> = {
    LoginFailed: "User and password do not match",
    TooManyLogins: "Too many failed logins",
    FunctionNotFound: "No such function",
    FunctionAlreadyExists: "This name is taken",
    FunctionPaused: "The function is paused",
    FunctionInvalid: "The function cannot run as it is",
    FunctionDeleting: "The function is being deleted",
    InvocationNotFound: "No such invocation",
    PreconditionFailed: "Changed by somebody else meanwhile",
    QueueFull: "The function's queue is full",
    PayloadTooLarge: "The payload is too large",
    NotKept: "Payload and result are not kept",
    NotFinished: "It has not ended yet",
    FunctionFailed: "The function failed",
    Internal: "EventFlow made a mistake",
};

const TEMPORARY = new Set([Code.Unavailable, Code.ResourceExhausted, Code.DeadlineExceeded, Code.Aborted]);

/** The only place that turns what was thrown into words. */
export function problemOf(thrown: unknown): Problem {
    const error = ConnectError.from(thrown);
    const info = error.findDetails(ErrorInfoSchema)[0];
    const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
    const unreachable = isUnreachable(error);
    return {
        title: unreachable
            ? "EventFlow cannot be reached"
            : (REASON_TITLES[info?.reason ?? ""] ?? TITLES[error.code] ?? "Something went wrong"),
        message: unreachable
            ? "The server does not answer. It is tried again by itself; check that it runs."
            : error.rawMessage || "No more is known.",
        ...(info?.reason && { reason: info.reason }),
        facts: info?.metadata ?? {},
        violations: error
            .findDetails(BadRequestSchema)
            .flatMap((details) => details.fieldViolations)
            .map(({ field, description }) => ({ field, description })),
        temporary: unreachable || TEMPORARY.has(error.code),
        ...(delay && { retryAfterMs: Number(delay.seconds) * 1000 + delay.nanos / 1e6 }),
        unreachable,
    };
}

/** The browser's fetch failed before there was any answer, or a proxy answered for a server that is down. */
function isUnreachable(error: ConnectError): boolean {
    if (error.cause instanceof TypeError) return true;
    return (
        error.code === Code.Unavailable && /HTTP 50[234]|Failed to fetch|NetworkError/i.test(error.rawMessage)
    );
}

/** Whether an error ends a stream for good: trying again would give the same answer. */
export function isFinal(thrown: unknown): boolean {
    const { code } = ConnectError.from(thrown);
    return (
        code === Code.Unauthenticated ||
        code === Code.PermissionDenied ||
        code === Code.NotFound ||
        code === Code.InvalidArgument ||
        code === Code.FailedPrecondition ||
        code === Code.Unimplemented
    );
}

/** A problem in one line, for toasts. */
export function lineOf(thrown: unknown): string {
    const { title, message } = problemOf(thrown);
    return `${title}: ${message}`;
}

/** The problem+json answer of a REST call, as the same kind of error that a gRPC call throws. */
export async function restError(response: Response): Promise<ConnectError> {
    const body: unknown = await response.json().catch(() => null);
    const problem = isRecord(body) ? body : {};
    const facts = isRecord(problem["metadata"]) ? problem["metadata"] : {};
    const violations = Array.isArray(problem["errors"]) ? problem["errors"].filter(isRecord) : [];
    const text = (value: unknown) => (typeof value === "string" ? value : "");
    const reason = text(problem["reason"]);
    // Without a reason it is the answer of something in between.
    if (!reason) return new ConnectError(`HTTP ${response.status}`, CODES[response.status] ?? Code.Unknown);
    return new ConnectError(
        text(problem["detail"]) || `HTTP ${response.status}`,
        CODES[response.status] ?? Code.Unknown,
        undefined,
        [
            {
                desc: ErrorInfoSchema,
                value: {
                    reason,
                    domain: "eventflow.io",
                    metadata: Object.fromEntries(
                        Object.entries(facts).map(([key, value]) => [
                            key,
                            text(value) || JSON.stringify(value),
                        ]),
                    ),
                },
            },
            {
                desc: BadRequestSchema,
                value: {
                    fieldViolations: violations.map((each) => ({
                        field: text(each["field"]),
                        description: text(each["description"]),
                    })),
                },
            },
        ],
    );
}

function isRecord(value: unknown): value is Record<string, unknown> {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

const CODES: Record<number, Code> = {
    400: Code.InvalidArgument,
    401: Code.Unauthenticated,
    403: Code.PermissionDenied,
    404: Code.NotFound,
    409: Code.FailedPrecondition,
    412: Code.Aborted,
    413: Code.ResourceExhausted,
    422: Code.FailedPrecondition,
    429: Code.ResourceExhausted,
    502: Code.Unavailable,
    503: Code.Unavailable,
    504: Code.DeadlineExceeded,
};
