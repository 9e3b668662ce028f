import { CodeView } from "./CodeView";

/** JSON set out in lines; text that is no JSON as it is. Larger texts are not reformatted, to stay quick. */
export function JsonView({ text, label }: { text: string; label: string }) {
    return <CodeView text={prettyJson(text)} label={label} wrap />;
}

const LARGEST = 2_000_000;

export function prettyJson(text: string): string {
    if (text.length > LARGEST) return text;
    try {
        return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
        return text;
    }
}
