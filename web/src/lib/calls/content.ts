/** How bytes of a user are shown. Whatever they are: as text, or as an image that can run nothing. */
export type Content =
    | { readonly kind: "empty" }
    | { readonly kind: "json"; readonly text: string }
    | { readonly kind: "text"; readonly text: string }
    | { readonly kind: "image"; readonly type: string }
    | { readonly kind: "binary" };

/** Raster images, which browsers draw without running anything. SVG is text. */
const IMAGES: readonly string[] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/bmp",
];

/** Larger JSON is shown as it is: laying it out would hold up the page. */
const MAX_PRETTY = 1024 * 1024;

export function contentOf(bytes: Uint8Array, contentType: string): Content {
    if (bytes.length === 0) return { kind: "empty" };
    const type = typeOf(bytes, contentType);
    if (IMAGES.includes(type)) return { kind: "image", type };
    const text = decode(bytes);
    if (text === undefined) return { kind: "binary" };
    const mayBeJson =
        type === "" || type === "application/json" || type.endsWith("+json") || /^\s*[[{]/.test(text);
    const json = mayBeJson && bytes.length <= MAX_PRETTY ? pretty(text) : undefined;
    return json === undefined ? { kind: "text", text } : { kind: "json", text: json };
}

const SIGNATURES: readonly (readonly [type: string, at: number, bytes: string])[] = [
    ["image/png", 0, "\x89PNG\r\n\x1a\n"],
    ["image/jpeg", 0, "\xff\xd8\xff"],
    ["image/gif", 0, "GIF8"],
    ["image/webp", 8, "WEBP"],
    ["image/avif", 4, "ftypavif"],
];

/** The media type as it was told. Where that says nothing, as for results of jobs, an image is known by its first bytes. */
export function typeOf(bytes: Uint8Array, contentType: string): string {
    const told = mediaType(contentType);
    if (told !== "" && told !== "application/octet-stream") return told;
    const start = String.fromCharCode(...bytes.subarray(0, 16));
    return SIGNATURES.find(([, at, signature]) => start.startsWith(signature, at))?.[0] ?? told;
}

/** `Text/HTML; charset=utf-8` is `text/html`. */
export function mediaType(contentType: string): string {
    return (contentType.split(";")[0] ?? "").trim().toLowerCase();
}

/** Undefined where it is not UTF-8, or has bytes that no text has. */
function decode(bytes: Uint8Array): string | undefined {
    try {
        const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
        return text.includes("\u0000") ? undefined : text;
    } catch {
        return undefined;
    }
}

/**
 * Laid out over lines. Numbers that JavaScript would round are left as they were written: then the text is shown as
 * it came.
 */
function pretty(text: string): string | undefined {
    try {
        const value: unknown = JSON.parse(text);
        if (typeof value !== "object" || value === null) return text;
        const laidOut = JSON.stringify(value, null, 2);
        return stripSpace(laidOut) === stripSpace(text) ? laidOut : text;
    } catch {
        return undefined;
    }
}

/** Without the white space between tokens; that inside of strings stays. */
function stripSpace(json: string): string {
    return json.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, string: string | undefined) => string ?? "");
}

const EXTENSIONS: ReadonlyMap<string, string> = new Map([
    ["application/json", "json"],
    ["text/plain", "txt"],
    ["text/html", "html"],
    ["text/csv", "csv"],
    ["application/pdf", "pdf"],
    ["image/png", "png"],
    ["image/jpeg", "jpg"],
    ["image/gif", "gif"],
    ["image/webp", "webp"],
    ["image/avif", "avif"],
    ["image/bmp", "bmp"],
    ["image/svg+xml", "svg"],
    ["application/zip", "zip"],
    ["application/gzip", "gz"],
]);

export function extensionOf(contentType: string): string {
    return EXTENSIONS.get(mediaType(contentType)) ?? "bin";
}
