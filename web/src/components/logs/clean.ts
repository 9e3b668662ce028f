/* eslint-disable no-control-regex -- control characters are what is looked for */
/** Escape sequences of terminals: CSI, OSC and other strings, two-byte ones; in their 7 and 8 bit forms. */
const ESCAPES =
    /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|(?:\u001b[\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c|$)|\u001b[ -/]*[0-~]?/g;

/** What would change how the rest of a line is shown: control characters and those that reorder or hide text. */
const UNSEEN =
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Cheap test, so that ordinary lines cost one scan. */
const SUSPICIOUS =
    /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

/**
 * The text of a line as it may be shown: colours and cursor movements of terminals are taken out, what is left of
 * invisible characters becomes visible. A progress bar that rewrites its line by carriage returns is shown as it
 * was last.
 */
export function cleanLine(text: string): string {
    if (!SUSPICIOUS.test(text)) return text;
    return lastOverwrite(text.replace(ESCAPES, "")).replace(UNSEEN, visible);
}

function lastOverwrite(text: string): string {
    const trimmed = text.replace(/[\r\n]+$/, "");
    return trimmed.slice(trimmed.lastIndexOf("\r") + 1);
}

function visible(char: string): string {
    const code = char.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    if (code === 0x7f) return "\u2421";
    return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
}
