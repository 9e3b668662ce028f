import { useId } from "react";

import { CopyButton } from "@/components/CopyButton";
import type { YamlProblem } from "@/manifest/yaml";

type Props = { text: string; problems: readonly YamlProblem[]; onChange: (text: string) => void };

/** The same declaration as text; what is wrong in it is said with its line. */
export function YamlEditor({ text, problems, onChange }: Props) {
    const id = useId();
    const lines = text.split("\n").length;
    const bad = new Set(problems.map((problem) => problem.line));
    return (
        <section aria-label="YAML" className="panel flex min-h-0 flex-col overflow-hidden">
            <header className="flex items-center justify-between border-b border-line py-1 pr-1 pl-4">
                <label htmlFor={id} className="font-semibold">
                    YAML
                </label>
                <CopyButton text={text} label="Copy the YAML" />
            </header>
            <div className="flex min-h-96 grow overflow-auto bg-code font-mono text-[0.85rem] leading-6">
                <div aria-hidden className="shrink-0 py-3 pr-2 pl-3 text-right text-ink-faint select-none">
                    {Array.from({ length: lines }, (_, at) => (
                        <div key={at} className={bad.has(at + 1) ? "font-bold text-bad" : ""}>
                            {at + 1}
                        </div>
                    ))}
                </div>
                <textarea
                    id={id}
                    value={text}
                    rows={lines}
                    wrap="off"
                    spellCheck={false}
                    autoCapitalize="none"
                    aria-invalid={problems.length > 0}
                    aria-describedby={`${id}-problems`}
                    onChange={(event) => onChange(event.target.value)}
                    className="min-w-0 grow resize-none overflow-x-auto overflow-y-hidden bg-transparent py-3 pr-3 outline-offset-[-2px]"
                />
            </div>
            <div id={`${id}-problems`} role="status" className="empty:hidden">
                {problems.length > 0 && (
                    <ul className="border-t border-bad/40 bg-bad/10 px-4 py-2 text-[0.87rem]">
                        {problems.map(({ message, line }) => (
                            <li key={`${line} ${message}`}>
                                {line !== undefined && <span className="text-ink-faint">Line {line}: </span>}
                                {message}
                            </li>
                        ))}
                    </ul>
                )}
            </div>
        </section>
    );
}
