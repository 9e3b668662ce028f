/** Where the CLI looks by itself. */
const DEFAULT_SERVER = "http://127.0.0.1:8080";

/** Text as one word of a POSIX shell. */
export function shellWord(text: string): string {
    return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** `eventflow` with these words, as short as it may be. */
export function cliCommand(server: string, namespace: string, ...words: string[]): string {
    const target = [
        ...(server === DEFAULT_SERVER ? [] : ["--url", server]),
        ...(namespace === "default" ? [] : ["-n", namespace]),
    ];
    return ["eventflow", ...target, ...words].map(shellWord).join(" ");
}

/** The header of a token that the CLI is asked for when the command runs, so that none is ever on the clipboard. */
export function authorization(server: string): string {
    return `-H "Authorization: Bearer $(${cliCommand(server, "default", "login", "--print")})"`;
}
