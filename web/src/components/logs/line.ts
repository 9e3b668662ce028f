import { type LogLine, LogStream } from "@/api/generated/eventflow/v1/logs_pb";
import { msOf } from "@/lib/time";
import { cleanLine } from "./clean";

export type Stream = "stdout" | "stderr" | "system";

/** One line as the viewer keeps it: small, since there may be 100,000 of them. */
export type Line = {
    /** The call that printed it; empty for a warm copy between calls. */
    readonly invocation: string;
    readonly attempt: number;
    readonly seq: number;
    readonly stream: Stream;
    /** Milliseconds since 1970; not a number where none was told. */
    readonly time: number;
    /** Only ever shown as text. */
    readonly text: string;
    readonly approximate: boolean;
    /** The function that printed it, where lines of several are shown together. */
    readonly source: string;
};

export function lineOf(wire: LogLine): Line {
    return {
        invocation: wire.invocationId,
        attempt: wire.attempt,
        seq: wire.seq,
        stream: streamOf(wire.stream),
        time: wire.time ? msOf(wire.time) : Number.NaN,
        text: cleanLine(wire.text),
        approximate: wire.approximate,
        source: wire.function,
    };
}

function streamOf(stream: LogStream): Stream {
    if (stream === LogStream.STDERR) return "stderr";
    return stream === LogStream.SYSTEM ? "system" : "stdout";
}
