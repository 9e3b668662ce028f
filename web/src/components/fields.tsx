import {
    useId,
    type InputHTMLAttributes,
    type ReactNode,
    type Ref,
    type SelectHTMLAttributes,
    type TextareaHTMLAttributes,
} from "react";

type FieldFrame = {
    label: string;
    hint?: ReactNode;
    error?: string | undefined;
    /** The label is read aloud but not shown. */
    labelHidden?: boolean;
};

function useFrame(hint: ReactNode, error: string | undefined) {
    const id = useId();
    const described = [hint ? `${id}-hint` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ");
    return {
        id,
        aria: { "aria-invalid": error ? true : undefined, "aria-describedby": described || undefined },
    };
}

function Frame({
    id,
    label,
    hint,
    error,
    labelHidden,
    children,
}: FieldFrame & { id: string; children: ReactNode }) {
    return (
        <div className="flex min-w-0 flex-col gap-1">
            <label
                htmlFor={id}
                className={labelHidden ? "sr-only" : "text-[0.87rem] font-medium text-ink-soft"}
            >
                {label}
            </label>
            {children}
            {error && (
                <p id={`${id}-error`} className="text-[0.85rem] text-bad">
                    {error}
                </p>
            )}
            {hint && (
                <p id={`${id}-hint`} className="text-[0.82rem] text-ink-faint">
                    {hint}
                </p>
            )}
        </div>
    );
}

type TextFieldProps = InputHTMLAttributes<HTMLInputElement> &
    FieldFrame & { mono?: boolean; ref?: Ref<HTMLInputElement> };

export function TextField({ label, hint, error, labelHidden, mono, className, ...rest }: TextFieldProps) {
    const { id, aria } = useFrame(hint, error);
    return (
        <Frame {...{ id, label, hint, error, ...(labelHidden && { labelHidden }) }}>
            <input
                type="text"
                {...rest}
                {...aria}
                id={id}
                className={`field ${mono ? "font-mono text-[0.92em]" : ""} ${className ?? ""}`}
            />
        </Frame>
    );
}

type TextAreaProps = TextareaHTMLAttributes<HTMLTextAreaElement> &
    FieldFrame & { mono?: boolean; ref?: Ref<HTMLTextAreaElement> };

export function TextArea({ label, hint, error, labelHidden, mono, className, ...rest }: TextAreaProps) {
    const { id, aria } = useFrame(hint, error);
    return (
        <Frame {...{ id, label, hint, error, ...(labelHidden && { labelHidden }) }}>
            <textarea
                rows={5}
                {...rest}
                {...aria}
                id={id}
                className={`field ${mono ? "font-mono text-[0.92em]" : ""} ${className ?? ""}`}
            />
        </Frame>
    );
}

export type Option = { value: string; label: string };

type SelectProps = SelectHTMLAttributes<HTMLSelectElement> &
    FieldFrame & { options: readonly Option[]; ref?: Ref<HTMLSelectElement> };

export function SelectField({ label, hint, error, labelHidden, options, className, ...rest }: SelectProps) {
    const { id, aria } = useFrame(hint, error);
    return (
        <Frame {...{ id, label, hint, error, ...(labelHidden && { labelHidden }) }}>
            <select {...rest} {...aria} id={id} className={`field pr-7 ${className ?? ""}`}>
                {options.map((option) => (
                    <option key={option.value} value={option.value}>
                        {option.label}
                    </option>
                ))}
            </select>
        </Frame>
    );
}
