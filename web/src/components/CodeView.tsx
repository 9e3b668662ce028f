import { CopyButton } from "./CopyButton";

type CodeViewProps = { text: string; label: string; wrap?: boolean; maxHeight?: string };

/** Text as it is, to read and to copy; it scrolls by keyboard. */
export function CodeView({ text, label, wrap = false, maxHeight = "28rem" }: CodeViewProps) {
    return (
        <div className="relative min-w-0 rounded-lg border border-line bg-code">
            <div className="absolute top-1 right-1">
                <CopyButton text={text} label={`Copy ${label}`} />
            </div>
            <pre
                // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolling region has to be reachable by keyboard
                tabIndex={0}
                role="region"
                aria-label={label}
                style={{ maxHeight }}
                className={`overflow-auto py-3 pr-12 pl-4 font-mono text-[0.85rem] leading-relaxed ${wrap ? "whitespace-pre-wrap [overflow-wrap:anywhere]" : ""}`}
            >
                {text}
            </pre>
        </div>
    );
}
