import { useEffect, useEffectEvent, useState } from "react";

import { TextField } from "./fields";

type CommitFieldProps = {
    label: string;
    value: string;
    onCommit: (value: string) => void;
    list?: string;
    placeholder?: string;
    mono?: boolean;
    inputMode?: "numeric";
};

/** Typing rests for so long before it counts. */
const REST_MS = 500;

/** A text that counts when typing rests, on Enter, or when the field is left; not at each key. */
export function CommitField({ value, onCommit, ...rest }: CommitFieldProps) {
    const [draft, setDraft] = useState(value);
    const [shown, setShown] = useState(value);
    if (shown !== value) {
        setShown(value);
        setDraft(value);
    }
    const commit = useEffectEvent(() => {
        if (draft.trim() !== value) onCommit(draft.trim());
    });
    useEffect(() => {
        const timer = setTimeout(() => commit(), REST_MS);
        return () => clearTimeout(timer);
    }, [draft]);
    const now = () => {
        if (draft.trim() !== value) onCommit(draft.trim());
    };
    return (
        <TextField
            {...rest}
            value={draft}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setDraft(event.target.value)}
            onBlur={now}
            onKeyDown={(event) => {
                if (event.key === "Enter") now();
            }}
        />
    );
}
