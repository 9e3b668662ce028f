import { useId } from "react";

import { TextArea, TextField } from "@/components/fields";
import { bytesText } from "@/lib/numbers";

import type { BodyKind, InvokeForm } from "../api/useInvokeForm";

const KINDS: [BodyKind, string][] = [
    ["json", "JSON"],
    ["text", "Text"],
    ["file", "File"],
];

/** The payload: typed, or a file as it is. */
export function PayloadFields({ form }: { form: InvokeForm }) {
    const id = useId();
    return (
        <>
            <div
                role="group"
                aria-label="Kind of payload"
                className="flex w-fit rounded-md border border-line p-0.5"
            >
                {KINDS.map(([kind, label]) => (
                    <button
                        key={kind}
                        type="button"
                        aria-pressed={form.kind === kind}
                        onClick={() => form.setKind(kind)}
                        className={`min-h-8 rounded px-4 ${form.kind === kind ? "bg-raised text-ink" : "text-ink-soft"}`}
                    >
                        {label}
                    </button>
                ))}
            </div>
            {form.kind === "file" ? (
                <div className="flex flex-col gap-1">
                    <label htmlFor={id} className="text-[0.87rem] font-medium text-ink-soft">
                        Payload file
                    </label>
                    <input
                        id={id}
                        type="file"
                        className="field file:mr-3 file:rounded file:border-0 file:bg-raised file:px-3 file:py-1 file:text-ink"
                        onChange={(event) => form.setFile(event.target.files?.[0] ?? null)}
                    />
                    {form.file && (
                        <p className="text-[0.82rem] text-ink-faint">{bytesText(form.file.size)}</p>
                    )}
                </div>
            ) : (
                <TextArea
                    label="Payload"
                    mono
                    rows={10}
                    spellCheck={false}
                    value={form.text}
                    error={form.jsonProblem}
                    onChange={(event) => form.setText(event.target.value)}
                />
            )}
            <TextField
                label="Content type"
                mono
                value={form.contentType}
                placeholder="application/octet-stream"
                onChange={(event) => form.setContentType(event.target.value)}
            />
        </>
    );
}
