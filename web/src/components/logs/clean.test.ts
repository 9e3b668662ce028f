import { describe, expect, it } from "vitest";
import { cleanLine } from "./clean";

describe("cleanLine", () => {
    it.each([
        ["plain text, ünïcode and emoji 🎉 stay", "plain text, ünïcode and emoji 🎉 stay"],
        ["\u001b[31mred\u001b[0m and \u001b[1;38;5;208mbold\u001b[m", "red and bold"],
        ["8 bit: \u009b31mred\u009b0m", "8 bit: red"],
        ["\u001b]0;evil title\u0007after", "after"],
        ["\u001b]8;;http://example.com\u001b\\link\u001b]8;;\u001b\\", "link"],
        ["\u001bPdevice string\u001b\\x", "x"],
        ["never ended \u001b]0;title", "never ended "],
        ["\u001b[2J\u001b[Hcleared", "cleared"],
        ["\u001b(Bcharset \u001bcreset", "charset reset"],
        ["lone escape \u001b", "lone escape "],
        ["10%\r50%\r100%", "100%"],
        ["windows line\r", "windows line"],
        ["tab\tstays", "tab\tstays"],
        ["nul \u0000 bell \u0007 del \u007f", "nul ␀ bell ␇ del ␡"],
        ["access \u202egnp.exe\u202c", "access <U+202E>gnp.exe<U+202C>"],
        ["zero\u200bwidth", "zero<U+200B>width"],
        ["<script>alert(1)</script>", "<script>alert(1)</script>"],
    ])("%j becomes %j", (text, expected) => {
        expect(cleanLine(text)).toBe(expected);
    });

    it("takes time in proportion to the length, whatever the text", () => {
        const began = performance.now();
        for (const evil of ["\u001b[", "\u001b]", "\u001b[0;", "\u001bP\u001b"])
            cleanLine(evil.repeat(200_000));
        expect(performance.now() - began).toBeLessThan(2000);
    });
});
