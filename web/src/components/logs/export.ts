import type { Line } from "./line";

/** Lines that become one piece of the file. */
const PIECE = 5000;

/** The lines as a text file; the pieces are joined by the browser, not in one long string. */
export function logFile(lines: Iterable<Line>, dropped: number, timestamps: boolean): Blob {
    const pieces: string[] = dropped > 0 ? [`# ${dropped} older lines were dropped by the viewer\n`] : [];
    let piece: string[] = [];
    for (const line of lines) {
        piece.push(fileLine(line, timestamps));
        if (piece.length === PIECE) {
            pieces.push(piece.join(""));
            piece = [];
        }
    }
    pieces.push(piece.join(""));
    return new Blob(pieces, { type: "text/plain;charset=utf-8" });
}

function fileLine(line: Line, timestamps: boolean): string {
    if (!timestamps) return `${line.text}\n`;
    const time = Number.isNaN(line.time) ? "-" : new Date(line.time).toISOString();
    const call = line.invocation === "" ? "-" : line.invocation;
    const source = line.source === "" ? "" : `${line.source} `;
    return `${time} ${source}${call} ${line.attempt} ${line.stream} ${line.text}\n`;
}

/** A name that every file system takes. */
export function fileName(...parts: string[]): string {
    const name = parts
        .filter((part) => part !== "")
        .join("-")
        .replace(/[^A-Za-z0-9._-]+/g, "-")
        .replace(/^[.-]+/, "");
    return `${name.slice(0, 120) || "logs"}.log`;
}

/** Hands a file to the person. */
export function download(blob: Blob, name: string): void {
    const url = URL.createObjectURL(blob);
    const link = document.createElement("a");
    link.href = url;
    link.download = name;
    link.click();
    // Some browsers read the URL only after the click has been handled.
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
