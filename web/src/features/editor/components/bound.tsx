import { ChevronRight } from "lucide-react";
import type { ReactNode } from "react";
import { useFormContext, type FieldPath } from "react-hook-form";

import { SelectField, TextField, type Option } from "@/components/fields";

import type { Values } from "../api/values";

type Bound = { name: FieldPath<Values>; label: string; hint?: ReactNode };

/** A text field of the form with its error. */
export function FormText({
    name,
    label,
    hint,
    placeholder,
    mono,
    readOnly,
    inputMode,
}: Bound & {
    placeholder?: string;
    mono?: boolean;
    readOnly?: boolean;
    inputMode?: "numeric" | "decimal";
}) {
    const { register, getFieldState, formState } = useFormContext<Values>();
    return (
        <TextField
            label={label}
            hint={hint}
            placeholder={placeholder}
            {...(mono && { mono })}
            readOnly={readOnly}
            inputMode={inputMode}
            spellCheck={false}
            autoComplete="off"
            error={getFieldState(name, formState).error?.message}
            {...register(name)}
        />
    );
}

/** A choice of the form with its error. */
export function FormSelect({ name, label, hint, options }: Bound & { options: readonly Option[] }) {
    const { register, getFieldState, formState } = useFormContext<Values>();
    return (
        <SelectField
            label={label}
            hint={hint}
            options={options}
            error={getFieldState(name, formState).error?.message}
            {...register(name)}
        />
    );
}

/** Choices of which the first, empty one is the default. */
export function choices(byDefault: string, ...words: [value: string, label: string][]): Option[] {
    return [{ value: "", label: byDefault }, ...words.map(([value, label]) => ({ value, label }))];
}

/** A part of the form that can be folded. */
export function Section({
    title,
    about,
    open = true,
    children,
}: {
    title: string;
    about: string;
    open?: boolean;
    children: ReactNode;
}) {
    return (
        <details open={open} className="panel group">
            <summary className="flex flex-wrap items-center gap-x-3 px-4 py-2.5">
                <ChevronRight
                    aria-hidden
                    className="-mr-1 size-4 text-ink-faint transition-transform group-open:rotate-90"
                />
                <h2 className="inline font-semibold">{title}</h2>{" "}
                <span className="text-[0.85rem] text-ink-faint">{about}</span>
            </summary>
            <div className="flex flex-col gap-4 border-t border-line p-4">{children}</div>
        </details>
    );
}

export function Columns({ children }: { children: ReactNode }) {
    return <div className="grid gap-4 sm:grid-cols-2">{children}</div>;
}
