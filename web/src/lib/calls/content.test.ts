import { describe, expect, it } from "vitest";
import { contentOf, extensionOf, typeOf } from "./content";

const of = (text: string, type = "") => contentOf(new TextEncoder().encode(text), type);

describe("contentOf", () => {
    it.each([
        ["", "", { kind: "empty" }],
        ['{"a":1}', "application/json", { kind: "json", text: '{\n  "a": 1\n}' }],
        ['{"a": [1, 2]}', "", { kind: "json", text: '{\n  "a": [\n    1,\n    2\n  ]\n}' }],
        ['{"a":1}', "text/plain", { kind: "json", text: '{\n  "a": 1\n}' }],
        ['{"broken"', "application/json", { kind: "text", text: '{"broken"' }],
        ["hello", "text/plain", { kind: "text", text: "hello" }],
        ["<script>alert(1)</script>", "text/html", { kind: "text", text: "<script>alert(1)</script>" }],
        ["<svg onload=alert(1)>", "image/svg+xml", { kind: "text", text: "<svg onload=alert(1)>" }],
        ["a\u0000b", "text/plain", { kind: "binary" }],
        ["42", "application/json", { kind: "json", text: "42" }],
    ])("%j of type %j is %j", (text, type, expected) => {
        expect(of(text, type)).toEqual(expected);
    });

    it.each(['{"id":12345678901234567890}', '{"a":1,"a":2}', '{"x":1.0}', '{"b": 1, "1": 2}'])(
        "changes nothing in JSON that JavaScript would write otherwise: %s",
        (text) => {
            expect(of(text, "application/json")).toEqual({ kind: "json", text });
        },
    );

    it("keeps white space inside of strings", () => {
        expect(of('{"a":"x  \\" y"}')).toEqual({ kind: "json", text: '{\n  "a": "x  \\" y"\n}' });
    });

    it("shows raster images, and nothing else, as images", () => {
        const bytes = new Uint8Array([0x89, 0x50]);
        expect(contentOf(bytes, "IMAGE/PNG; x=y")).toEqual({ kind: "image", type: "image/png" });
        expect(contentOf(bytes, "image/svg+xml")).toEqual({ kind: "binary" });
        expect(contentOf(bytes, "application/pdf")).toEqual({ kind: "binary" });
    });
});

describe("typeOf", () => {
    const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0]);
    const webp = new TextEncoder().encode("RIFF0000WEBPVP8 ");

    it("knows images by their first bytes where the type says nothing", () => {
        expect(typeOf(png, "application/octet-stream")).toBe("image/png");
        expect(typeOf(webp, "")).toBe("image/webp");
        expect(contentOf(png, "application/octet-stream")).toEqual({ kind: "image", type: "image/png" });
    });

    it("believes a type that says something, and guesses nothing that could run", () => {
        expect(typeOf(png, "text/html; charset=utf-8")).toBe("text/html");
        expect(typeOf(new TextEncoder().encode("<svg onload=alert(1)>"), "")).toBe("");
        expect(typeOf(new Uint8Array([0x89, 0x50]), "application/octet-stream")).toBe(
            "application/octet-stream",
        );
    });
});

describe("extensionOf", () => {
    it.each([
        ["application/json; charset=utf-8", "json"],
        ["image/png", "png"],
        ["x/y", "bin"],
        ["", "bin"],
        ["constructor", "bin"],
    ])("the extension of %j is %s", (type, extension) => {
        expect(extensionOf(type)).toBe(extension);
    });
});
