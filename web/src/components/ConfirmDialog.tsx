import { useState, type ReactNode } from "react";

import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { TextField } from "./fields";
import { ErrorNote } from "./states";

type ConfirmProps = {
    title: string;
    children: ReactNode;
    /** The verb on the button: `Delete`, `Cancel 12 invocations`. */
    action: string;
    danger?: boolean;
    /** What has to be typed first, such as the function's name. */
    typed?: string;
    busy?: boolean;
    error?: unknown;
    onConfirm: () => void;
    onClose: () => void;
};

/** Asks before something happens that cannot be undone. */
export function ConfirmDialog(props: ConfirmProps) {
    const { title, children, action, danger = false, typed, busy = false, error, onConfirm, onClose } = props;
    const [text, setText] = useState("");
    const wrong = typed !== undefined && text !== typed;
    return (
        <Dialog title={title} onClose={onClose}>
            <form
                className="flex flex-col gap-4"
                onSubmit={(event) => {
                    event.preventDefault();
                    if (!wrong && !busy) onConfirm();
                }}
            >
                <div className="text-ink-soft [overflow-wrap:anywhere]">{children}</div>
                {typed !== undefined && (
                    <TextField
                        label={`Type ${typed} to confirm`}
                        value={text}
                        onChange={(event) => setText(event.target.value)}
                        autoComplete="off"
                        spellCheck={false}
                        mono
                    />
                )}
                {error !== undefined && error !== null && <ErrorNote error={error} />}
                <div className="flex flex-wrap justify-end gap-2">
                    <Button kind="quiet" onClick={onClose}>
                        Keep it as it is
                    </Button>
                    <Button
                        type="submit"
                        kind={danger ? "danger" : "primary"}
                        busy={busy}
                        disabledWhy={wrong ? `Type ${typed} first` : undefined}
                    >
                        {action}
                    </Button>
                </div>
            </form>
        </Dialog>
    );
}
